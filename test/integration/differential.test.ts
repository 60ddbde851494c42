import { createPrivateKey, sign } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createAccount, createOperator, type KeyPair } from "@nats-io/nkeys";
import { connect, credsAuthenticator, type NatsConnection } from "@nats-io/transport-node";
import fc from "fast-check";
import { accountClaims, operatorClaims, UNLIMITED } from "../../lab/claims.ts";
import { newCredentials, nowSeconds, seedOf, signClaims } from "../../lab/keys.ts";
import { type NatsServer, startServer } from "../../lab/nats-server.ts";
import { serverBinary, VERSIONS } from "../../lab/server-binaries.ts";
import { jwtCodec } from "../../lib/adapters/nats/jwt/jwt-codec.ts";
import type { AccountId } from "../../lib/domain/claims/account.ts";
import type { ClaimsDocument } from "../../lib/domain/claims/claims.ts";
import { gate } from "../../lib/domain/gate/gate.ts";
import { epochSeconds } from "../../lib/domain/time/time.ts";
import { type Odd, oddities, print, type Raw, rawOf } from "../support/odd-jwts.ts";

/** How many JWTs each server gets, and their seed: the same ones in every run. */
const COUNT = 1_500;
const SEED = 10;

const operator = createOperator();
const systemAccount = createAccount();
const account = createAccount();
const accountId = account.getPublicKey() as AccountId;
const operatorId = operator.getPublicKey();
const signingKey = createAccount();
const keys = { operator, operatorSigningKey: createOperator(), systemAccount };
const otherAccount = createAccount();
const other = otherAccount.getPublicKey();

const RICH = {
  limits: {
    ...UNLIMITED,
    tiered_limits: { R1: { disk_storage: 1_000, streams: 2 }, R3: { mem_storage: 5 } },
  },
  signing_keys: [
    signingKey.getPublicKey(),
    {
      kind: "user_scope",
      key: other,
      role: "r",
      template: { pub: { allow: ["a"] }, sub: {}, subs: 5, data: -1, payload: 9 },
    },
  ],
  exports: [
    {
      name: "e",
      subject: "e.*",
      type: "service",
      response_type: "Stream",
      account_token_position: 2,
      token_req: true,
    },
    {
      name: "f",
      subject: "f",
      type: "service",
      service_latency: { sampling: 50, results: "lat" },
      revocations: { [other]: 7 },
    },
  ],
  imports: [{ name: "i", subject: "i.>", account: other, type: "stream", local_subject: "j.>" }],
  revocations: { [other]: 100 },
  mappings: {
    from: [
      { subject: "b", weight: 40 },
      { subject: "c", weight: 10, cluster: "x" },
    ],
  },
  default_permissions: { pub: { deny: ["no"] }, sub: {}, resp: { max: 3, ttl: 1_000 } },
  authorization: {},
  tags: ["t"],
  description: "d",
  info_url: "http://x",
  type: "account",
  version: 2,
};

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The operator's key for Node's own Ed25519: the nkeys library takes a tenth of a second per signature here. */
const privateKey = createPrivateKey({
  key: Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), rawSeed(operator)]),
  format: "der",
  type: "pkcs8",
});

/** The 32 bytes after the two of the prefix. */
function rawSeed(key: KeyPair): Buffer {
  const bits = [...seedOf(key)].map((letter) => BASE32.indexOf(letter).toString(2).padStart(5, "0")).join("");
  return Buffer.from(Array.from({ length: 32 }, (_, at) => Number.parseInt(bits.slice(8 * (at + 2), 8 * (at + 3)), 2)));
}

interface Made {
  readonly token: string;
  readonly what: string;
  readonly text: string;
}

function make(number: number, odds: readonly Odd[]): Made {
  const now = nowSeconds();
  const claims = {
    jti: `J${number}`,
    iat: now,
    iss: operatorId,
    sub: accountId,
    name: "APP",
    aud: "x",
    exp: now + 86_400,
    nbf: now - 5,
    nats: RICH,
  };
  const raw = odds.reduce<Raw>((before, { payload }) => payload?.(before) ?? before, rawOf(claims));
  const bytes = odds.reduce<Buffer>((before, odd) => odd.bytes?.(before) ?? before, Buffer.from(print(raw)));
  const header = odds.find((odd) => odd.header !== undefined)?.header ?? '{"typ":"JWT","alg":"ed25519-nkey"}';
  const parts = [Buffer.from(header).toString("base64url"), bytes.toString("base64url"), ""];
  const encode = (part: number): string =>
    odds.reduce((it, { encoding }) => (encoding?.part === part ? encoding.change(it) : it), parts[part] ?? "");
  const body = `${encode(0)}.${encode(1)}`;
  parts[2] = sign(null, Buffer.from(body), privateKey).toString("base64url");
  return {
    token: `${body}.${encode(2)}`,
    what: odds.map(({ what }) => what).join("; "),
    text: bytes.toString(),
  };
}

interface Seen {
  readonly document: ClaimsDocument;
  readonly accepted: boolean;
}

/** The claims as Relight's codec and gate accept them; undefined if it refuses the JWT. */
function read(token: string): Seen | undefined {
  try {
    const { document, signatureValid } = jwtCodec.decode(token);
    const identity = {
      id: operatorId,
      name: "LAB",
      signingKeys: [],
      strictSigningKeyUsage: false,
    };
    const now = epochSeconds(nowSeconds());
    const decision = gate({
      account: accountId,
      operator: identity,
      candidate: document,
      signatureValid,
      allowance: "claims",
      now,
    });
    return { document, accepted: decision.decision === "accept" };
  } catch {
    return undefined;
  }
}

interface Running {
  readonly jwt?: string;
  readonly expired?: boolean;
  readonly decoded_jwt?: unknown;
}

async function runningOn(system: NatsConnection): Promise<Running> {
  const reply = await system.request(`$SYS.REQ.ACCOUNT.${accountId}.INFO`, "", { timeout: 5_000 });
  // A server that can't write what it runs does not answer.
  return reply.data.length === 0 ? {} : (exact(reply.string()) as { readonly data: Running }).data;
}

function configuration(folder: string): string {
  const operatorJwt = signClaims(operatorClaims(keys, false), operator);
  const plain = (name: string, key: KeyPair): string =>
    `${key.getPublicKey()}: ${signClaims(accountClaims(name, key, signingKey, UNLIMITED), operator)}`;
  return `server_name: lab
operator: ${operatorJwt}
system_account: ${systemAccount.getPublicKey()}
resolver { type: full, dir: "${folder}/jwt", allow_delete: false, interval: "1m", limit: 1000 }
resolver_preload {
  ${plain("SYS", systemAccount)}
  ${plain("OTHER", otherAccount)}
  ${accountId}: ${make(0, []).token}
}
`;
}

const connectTo = (server: NatsServer, of: KeyPair): Promise<NatsConnection> =>
  connect({
    servers: server.url,
    reconnect: false,
    authenticator: credsAuthenticator(Buffer.from(newCredentials(of, "user", signingKey))),
  });

/** Every key that servers know, and those that are data: the payload has one of each. */
const KNOWN = new Set(keysOf(JSON.parse(make(0, []).text)));
const NOTHING: readonly unknown[] = [null, "0", "-0", "", false];
const NO_LIMITS = { subs: "-1", data: "-1", payload: "-1" };

function keysOf(value: unknown): readonly string[] {
  if (typeof value !== "object" || value === null) return [];
  const own = Array.isArray(value) ? [] : Object.keys(value);
  return [...own, ...Object.values(value).flatMap(keysOf)];
}

/** Without what Go ignores and no server knows; and with what a scope has where Go ignores it. */
function said(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((it) => said(it) ?? null).sort(byText);
  if (typeof value !== "object" || value === null) return NOTHING.includes(value) ? undefined : value;
  const { template } = value as { template?: object };
  const whole = "kind" in value ? { ...value, template: { ...NO_LIMITS, ...template } } : value;
  const entries = Object.entries(whole)
    .filter(([key]) => KNOWN.has(key))
    .map(([key, inner]) => [key, said(inner)] as const)
    .filter(([, inner]) => inner !== undefined && JSON.stringify(inner) !== "{}" && JSON.stringify(inner) !== "[]");
  return Object.fromEntries(entries.sort(byText));
}

const byText = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

/** JSON with every number as its text, so none is rounded. */
const exact = (text: string): unknown =>
  JSON.parse(text, (_key, value: unknown, context?: { source?: string }) =>
    typeof value === "number" ? context?.source : value,
  );

const RUNS = fc.sample(fc.array(oddities(rawOf(JSON.parse(make(0, []).text))), { minLength: 1, maxLength: 2 }), {
  numRuns: COUNT,
  seed: SEED,
});

describe.each(VERSIONS)("nats-server %s", (version) => {
  let jwts: readonly (Made & { readonly seen: Seen | undefined })[];
  let server: NatsServer;
  let system: NatsConnection;

  beforeAll(async () => {
    const { path } = await serverBinary(version);
    server = await startServer({ binary: path, config: (folder) => configuration(folder) });
    system = await connectTo(server, systemAccount);
    // Loads the account, which stays loaded.
    await (await connectTo(server, account)).close();
    jwts = RUNS.map((odds, index) => make(index + 1, odds)).map((made) => ({
      ...made,
      seen: read(made.token),
    }));
  });
  afterAll(async () => {
    await system.close();
    await server[Symbol.asyncDispose]();
  });

  test("reads every JWT as Relight does", async () => {
    const problems: string[] = [];
    const counts = { read: 0, accepted: 0, acceptedAndRun: 0, onlyRun: 0 };
    for (const { token, what, text, seen } of jwts) {
      const reply = await system.request("$SYS.REQ.CLAIMS.UPDATE", token, { timeout: 5_000 });
      const answer = reply.string();
      const running = await runningOn(system);
      const isRun = running.jwt === token;
      if (seen) counts.read++;
      if (seen?.accepted) counts.accepted++;
      if (seen?.accepted && isRun) counts.acceptedAndRun++;
      if (isRun && !seen) counts.onlyRun++;
      if (seen?.accepted && !isRun) problems.push(`${what}: ${text} is refused: ${answer}`);
      if (!seen || !isRun) continue;
      const [theirs, ours] = [said(running.decoded_jwt), said(exact(seen.document.text))];
      if (!isDeepStrictEqual(theirs, ours)) problems.push(`${what}: ${text} is read as ${JSON.stringify(theirs)}`);
      if (seen.accepted && running.expired) problems.push(`${what}: ${text} has expired`);
    }
    expect(problems).toEqual([]);
    // Otherwise nothing was proved.
    expect(counts.acceptedAndRun).toBeGreaterThan(COUNT / 10);
    expect(counts.onlyRun).toBeGreaterThan(COUNT / 20);
  });
});
