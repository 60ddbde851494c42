import { isIPv4, isIPv6 } from "node:net";
import * as z from "zod";
import { isJsonObject, type JsonObject } from "../domain/time/json.ts";
import { isLoopback } from "../http/loopback.ts";
import { access } from "./access.ts";
import { duration } from "./policy.ts";

/** Where `relight serve` takes requests. Port 0 is any free one; the host `::` is every interface. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const AN_ADDRESS = 'an address; write 127.0.0.1:8080, "[::1]:8080", or :8080 for every interface';

const listen = z.string(`is not ${AN_ADDRESS}`).transform((text, context): ListenAddress => {
  const address = readListen(text);
  if (address !== undefined) return address;
  context.addIssue({ code: "custom", message: `"${text}" is not ${AN_ADDRESS}` });
  return z.NEVER;
});

function readListen(text: string): ListenAddress | undefined {
  const [, inBrackets, name = "", digits = ""] = /^(?:\[([^\]]*)\]|([\w.-]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === "" || port > 65_535) return undefined;
  if (inBrackets !== undefined) return isIPv6(inBrackets) ? { host: inBrackets, port } : undefined;
  if (name === "") return { host: "::", port };
  // `127.1` and `8080` are addresses to some programs, and names to others.
  return isIPv4(name) || /[a-z]/i.test(name) ? { host: name, port } : undefined;
}

/** `relight serve`. */
export const serve = z
  .strictObject({
    listen: listen.prefault("127.0.0.1:8080"),
    /** How long the step under way may take once the process is asked to stop. */
    grace: duration.prefault("30s"),
    access: access.exactOptional(),
  })
  .superRefine(({ listen: { host }, access: given }, context) => {
    if (isLoopback(host) || given !== undefined) return;
    const ways = "write serve.access with token, trustedProxy or oidc (docs/console.md), or listen on 127.0.0.1";
    const message = `${host} can be reached from other machines, and nothing says who may call: ${ways}`;
    context.addIssue({ code: "custom", path: ["listen"], message });
  })
  .prefault({});

/** The content of a configuration, with another address if one is given. */
export function listeningOn(listen: string | undefined, content: JsonObject): JsonObject {
  const { serve: written = {} } = content;
  return listen === undefined || !isJsonObject(written) ? content : { ...content, serve: { ...written, listen } };
}
