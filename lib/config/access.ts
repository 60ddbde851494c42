import { isIP } from "node:net";
import * as z from "zod";
import { isJsonObject } from "../domain/time/json.ts";
import { isLoopback } from "../http/loopback.ts";
import { httpAddress, secretReference } from "./values.ts";

const WAYS = ["token", "trustedProxy", "oidc"] as const;

const headerName = z.string().regex(/^[A-Za-z][A-Za-z0-9-]{0,99}$/, { message: "is not the name of a header" });

/** Who gets which role: names or groups, or `*` for everybody. */
const roles = {
  operators: z.array(z.string().min(1)).default([]),
  viewers: z.array(z.string().min(1)).default([]),
};

const address = z
  .string()
  .refine(isAddress, { message: "is not an IP address or network, such as 10.0.0.5 or 10.0.0.0/8" });

const somebody = { message: "lets nobody in; name operators or viewers" };
const namesSomebody = ({ operators, viewers }: { operators: unknown[]; viewers: unknown[] }): boolean =>
  operators.length + viewers.length > 0;

/** Who may use the console and the API of `relight serve`. */
export const access = z
  .strictObject({
    /** Where people open it. With `https`, cookies are for HTTPS only. */
    url: httpAddress.exactOptional(),
    /** Secrets that people type, and programs send as `Authorization: Bearer`. */
    token: z
      .strictObject({ operator: secretReference.exactOptional(), viewer: secretReference.exactOptional() })
      .refine(({ operator, viewer }) => operator ?? viewer, { message: "needs operator or viewer" })
      .exactOptional(),
    /** A proxy that signs people in and names them in a header. */
    trustedProxy: z
      .strictObject({
        /** The proxy's addresses; requests from others can't name anybody. */
        addresses: z.array(address).min(1),
        user: headerName,
        /** A header with groups, separated by commas. Without it, `operators` and `viewers` are users. */
        groups: headerName.exactOptional(),
        ...roles,
      })
      .refine(namesSomebody, somebody)
      .exactOptional(),
    /** An OpenID Connect provider. */
    oidc: z
      .strictObject({
        issuer: httpAddress.refine((text) => text.startsWith("https:") || isLoopback(new URL(text).hostname), {
          message: "must begin with https, because whoever can change its answers can let anybody in",
        }),
        clientId: z.string().min(1),
        clientSecret: secretReference,
        /** The claim with the name for the journal. */
        name: z.string().min(1).default("email"),
        /** The claim with names or groups that `operators` and `viewers` list. */
        claim: z.string().min(1).default("groups"),
        /** Asked for besides `openid`. */
        scopes: z.array(z.string().regex(/^[\x21-\x7e]+$/)).default(["profile", "email"]),
        ...roles,
      })
      .refine(namesSomebody, somebody)
      .exactOptional(),
  })
  .superRefine(
    (value: object, context) => {
      const given = value as Readonly<Record<string, unknown>>;
      if (!WAYS.some((way) => given[way] !== undefined))
        context.addIssue({ code: "custom", message: `needs at least one of ${WAYS.join(", ")}` });
      if (given["oidc"] !== undefined && given["url"] === undefined)
        context.addIssue({ code: "custom", path: ["url"], message: "is needed for oidc: where people open it" });
    },
    { when: ({ value }) => isJsonObject(value) },
  );

export type AccessConfig = z.infer<typeof access>;

function isAddress(text: string): boolean {
  const [host = "", prefix, ...more] = text.split("/");
  const most = { 0: -1, 4: 32, 6: 128 }[isIP(host) as 0 | 4 | 6];
  if (more.length > 0 || most < 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= most);
}
