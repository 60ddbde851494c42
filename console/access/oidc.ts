import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import type { Configuration } from "openid-client";
import { isJsonObject, parseJson } from "../../lib/domain/time/json.ts";
import { asRelightError, RelightError } from "../../lib/errors.ts";
import { type Access, isName, isSame, type OidcSettings } from "../../lib/http/access.ts";
import { callerOf } from "../../lib/http/caller.ts";
import { isLoopback } from "../../lib/http/loopback.ts";
import type { Person } from "../../lib/http/person.ts";
import { cookieOf, type Guard, sign } from "../guard.ts";

/** Signing in at an OpenID Connect provider: authorization code flow with PKCE, state and nonce. */
export interface OidcSignIn {
  /** Where to send the browser. @param to where the person wants to go then @throws RelightError `oidc.unavailable` */
  begin(context: Context, to: string): Promise<URL>;
  /** Who came back, and where the person wanted to go. @throws RelightError `request.unauthorized`, `request.locked`, `oidc.unavailable` */
  finish(context: Context): Promise<{ readonly person: Person; readonly to: string }>;
}

const COOKIE = "relight_oidc";
/** How long a person may take at the provider; seconds. */
const LASTS = 600;
const CALLBACK = "/sign-in/callback";

interface Attempt {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly to: string;
}

export function oidcSignIn(
  settings: OidcSettings,
  access: Access,
  { key, isSecure, origin = "" }: Pick<Guard, "key" | "isSecure" | "origin">,
): OidcSignIn {
  // Not Strict: the browser comes back from the provider.
  const cookie = { ...cookieOf(isSecure), sameSite: "Lax", maxAge: LASTS, path: "/sign-in" } as const;
  let found: Promise<Configuration> | undefined;

  /** Asks the provider once; after a failure, again. */
  async function provider(): Promise<Configuration> {
    found ??= discover(settings);
    try {
      return await found;
    } catch (cause) {
      found = undefined;
      const why = asRelightError(cause).message;
      throw new RelightError("oidc.unavailable", `${settings.issuer} does not answer as a provider: ${why}`, { cause });
    }
  }

  function attemptIn(context: Context): Attempt | undefined {
    const [content = "", proof = ""] = (getCookie(context, COOKIE) ?? "").split(".");
    deleteCookie(context, COOKIE, { path: cookie.path });
    if (!isSame(proof, sign(key, `oidc ${content}`))) return undefined;
    const data = parseJson(Buffer.from(content, "base64url").toString());
    return isJsonObject(data) ? (data as unknown as Attempt) : undefined;
  }

  return {
    begin: async (context, to) => {
      const [client, config] = [await library(), await provider()];
      const verifier = client.randomPKCECodeVerifier();
      const attempt = { state: client.randomState(), nonce: client.randomNonce(), verifier, to };
      const content = Buffer.from(JSON.stringify(attempt)).toString("base64url");
      setCookie(context, COOKIE, `${content}.${sign(key, `oidc ${content}`)}`, cookie);
      return client.buildAuthorizationUrl(config, {
        redirect_uri: origin + CALLBACK,
        scope: ["openid", ...settings.scopes].join(" "),
        state: attempt.state,
        nonce: attempt.nonce,
        code_challenge: await client.calculatePKCECodeChallenge(verifier),
        code_challenge_method: "S256",
      });
    },
    finish: async (context) => {
      const caller = callerOf(context);
      access.checkLock(caller);
      const attempt = attemptIn(context);
      if (attempt === undefined) throw access.refuse(caller, "the sign-in was not begun here, or too long ago");
      const [client, config] = [await library(), await provider()];
      const url = new URL(origin + CALLBACK + new URL(context.req.url).search);
      const checks = { pkceCodeVerifier: attempt.verifier, expectedState: attempt.state, expectedNonce: attempt.nonce };
      let claims: Readonly<Record<string, unknown>>;
      try {
        const answer = await client.authorizationCodeGrant(config, url, { ...checks, idTokenExpected: true });
        claims = answer.claims() ?? {};
      } catch (cause) {
        throw access.refuse(caller, `the provider's answer was refused: ${(cause as Error).message}`);
      }
      const name = [claims[settings.name], claims["sub"]].find((text) => typeof text === "string" && isName(text));
      if (typeof name !== "string") throw access.refuse(caller, "the provider named nobody");
      const value = claims[settings.claim];
      const names = (Array.isArray(value) ? value : [value]).filter((one) => typeof one === "string");
      const person = { name, role: access.roleIn(settings, names, name), way: "oidc" } as const;
      return { person, to: attempt.to };
    },
  };
}

/** Loaded only where somebody signs in this way. */
const library = () => import("openid-client");

async function discover({ issuer, clientId, clientSecret }: OidcSettings): Promise<Configuration> {
  const client = await library();
  const url = new URL(issuer);
  // The configuration allows HTTP on this machine only.
  const execute = url.protocol === "http:" && isLoopback(url.hostname) ? [client.allowInsecureRequests] : [];
  return client.discovery(url, clientId, clientSecret, undefined, { execute });
}
