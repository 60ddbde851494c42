import type { Config } from "../config/config.ts";
import { defined } from "../domain/time/defined.ts";
import { RelightError } from "../errors.ts";
import type { AccessSettings } from "../http/access.ts";
import type { Role } from "../http/person.ts";
import type { Secrets } from "../ports/secrets.ts";

/** Shorter ones can be guessed. */
const SHORTEST_TOKEN = 16;

/** Reads the secrets of `serve.access`; undefined without it. @throws RelightError `secret.*` */
export async function readAccess({ serve: { access } }: Config, secrets: Secrets): Promise<AccessSettings | undefined> {
  if (access === undefined) return undefined;
  const { url, token = {}, trustedProxy, oidc } = access;
  const references = (["operator", "viewer"] as const).flatMap((role) =>
    token[role] ? [[role, token[role]] as const] : [],
  );
  const tokens = await Promise.all(references.map(([role, reference]) => readToken(secrets, role, reference)));
  const [one, other] = tokens;
  if (one !== undefined && one.token === other?.token)
    throw new RelightError("secret.malformed", "the tokens of operators and viewers are the same");
  return {
    tokens,
    ...defined({ url, trustedProxy }),
    ...(oidc === undefined ? {} : { oidc: { ...oidc, clientSecret: (await secrets.read(oidc.clientSecret)).trim() } }),
  };
}

async function readToken(secrets: Secrets, role: Role, reference: string) {
  const token = (await secrets.read(reference)).trim();
  if (token.length >= SHORTEST_TOKEN && /^\S+$/.test(token)) return { role, token };
  const needs = `needs at least ${SHORTEST_TOKEN} characters without spaces`;
  throw new RelightError("secret.malformed", `the token ${reference} ${needs}; \`openssl rand -base64 32\` makes one`);
}
