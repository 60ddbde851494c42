import { createHash, createSign, generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** A stand-in for an OpenID Connect provider: it signs everybody in at once, as whom the test says. */
export interface OidcProvider extends AsyncDisposable {
  readonly issuer: string;
  /** The claims of the next person. */
  claims: Record<string, unknown>;
  /** Changes the next ID token's claims, for what a provider must not say. */
  lies: Record<string, unknown>;
}

export const CLIENT = { clientId: "relight", clientSecret: "client-secret-0123456789" } as const;

interface Code {
  readonly nonce: string;
  readonly challenge: string;
  readonly redirect: string;
}

export async function startOidcProvider(): Promise<OidcProvider> {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const codes = new Map<string, Code>();
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider: OidcProvider = {
    issuer,
    claims: {},
    lies: {},
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };

  const json = (response: ServerResponse, body: object, status = 200): void => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", issuer);
    const jwk = { ...publicKey.export({ format: "jwk" }), kid: "k", alg: "RS256", use: "sig" };
    if (url.pathname === "/.well-known/openid-configuration") json(response, discovery(issuer));
    else if (url.pathname === "/jwks") json(response, { keys: [jwk] });
    else if (url.pathname === "/authorize") authorize(url.searchParams, response);
    else if (url.pathname === "/token") token(request, new URLSearchParams(await text(request)), response);
    else json(response, {}, 404);
  }

  function authorize(query: URLSearchParams, response: ServerResponse): void {
    const code = randomBytes(8).toString("hex");
    const redirect = query.get("redirect_uri") ?? "";
    codes.set(code, { nonce: query.get("nonce") ?? "", challenge: query.get("code_challenge") ?? "", redirect });
    const back = new URL(redirect);
    back.searchParams.set("code", code);
    back.searchParams.set("state", query.get("state") ?? "");
    response.writeHead(302, { location: String(back) }).end();
  }

  function token(request: IncomingMessage, form: URLSearchParams, response: ServerResponse): void {
    const code = codes.get(form.get("code") ?? "");
    codes.delete(form.get("code") ?? "");
    const basic = Buffer.from((request.headers.authorization ?? "").replace("Basic ", ""), "base64").toString();
    const [id, secret] = basic === "" ? [form.get("client_id"), form.get("client_secret")] : basic.split(":");
    const challenge = createHash("sha256")
      .update(form.get("code_verifier") ?? "")
      .digest("base64url");
    const isRight = id === CLIENT.clientId && secret === CLIENT.clientSecret;
    if (code === undefined || !isRight || challenge !== code.challenge || form.get("redirect_uri") !== code.redirect)
      json(response, { error: "invalid_grant" }, 400);
    else json(response, { access_token: "a", token_type: "Bearer", id_token: signed(claimsFor(code)) });
  }

  function claimsFor({ nonce }: Code): object {
    const now = Math.floor(Date.now() / 1000);
    const common = { iss: issuer, aud: CLIENT.clientId, sub: "person-1", iat: now, exp: now + 300, nonce };
    return { ...common, ...provider.claims, ...provider.lies };
  }

  function signed(body: object): string {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    const content = `${part({ alg: "RS256", kid: "k", typ: "JWT" })}.${part(body)}`;
    return `${content}.${createSign("RSA-SHA256").update(content).sign(privateKey).toString("base64url")}`;
  }

  return provider;
}

const discovery = (issuer: string): object => ({
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  jwks_uri: `${issuer}/jwks`,
  response_types_supported: ["code"],
  subject_types_supported: ["public"],
  id_token_signing_alg_values_supported: ["RS256"],
  code_challenge_methods_supported: ["S256"],
});
