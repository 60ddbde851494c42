import type { AccountId } from "../../lib/domain/claims/account.ts";
import { type ClaimsDocument, parseAccountClaims } from "../../lib/domain/claims/claims.ts";
import type { Operator } from "../../lib/domain/claims/operator.ts";
import type {
  ConsumerFacts,
  ForgottenConsumer,
  Observation,
  ServerFacts,
  StreamFacts,
} from "../../lib/domain/observation/observation.ts";
import { epochMillis, epochSeconds } from "../../lib/domain/time/time.ts";

/** A healthy world; each test states only the differences. */

export const ACCOUNT = `A${"B".repeat(55)}` as AccountId;
export const OPERATOR_KEY = `O${"C".repeat(55)}`;
export const SIGNING_KEY = `O${"D".repeat(55)}`;
export const NOW = epochSeconds(1_800_000_000);

export const operator: Operator = {
  id: OPERATOR_KEY,
  name: "OP",
  signingKeys: [SIGNING_KEY],
  strictSigningKeyUsage: false,
};

export const LIMITS = {
  conn: -1,
  subs: 100,
  payload: -1,
  mem_storage: 1_024,
  disk_storage: -1,
  streams: 10,
  wildcards: true,
};

/** Claims as a document; throws if they are invalid, because then the test is wrong. */
export function claims(changes: Record<string, unknown> = {}, limits: Record<string, unknown> = {}): ClaimsDocument {
  const nats = { limits: { ...LIMITS, ...limits }, type: "account", version: 2 };
  const text = JSON.stringify({
    jti: "J1",
    iat: NOW - 100,
    exp: NOW + 1_000,
    iss: OPERATOR_KEY,
    sub: ACCOUNT,
    name: "APP",
    nats,
    ...changes,
  });
  const parsed = parseAccountClaims(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.document;
}

export const server = (changes: Partial<ServerFacts> = {}): ServerFacts => ({
  id: "N1",
  name: "s1",
  version: "2.10.27",
  jetstream: true,
  topology: "standalone",
  tags: [],
  ...changes,
});

export const consumer = (changes: Partial<ConsumerFacts> = {}): ConsumerFacts => ({
  server: "s1",
  name: "worker",
  storage: "file",
  durable: true,
  peers: [],
  nodeMissingOn: [],
  ackFloor: 0,
  config: { durable_name: "worker" },
  heard: { ok: true, value: true },
  ...changes,
});

export const stream = (changes: Partial<StreamFacts> = {}): StreamFacts => ({
  server: "s1",
  name: "ORDERS",
  storage: "file",
  replicas: 1,
  subjects: ["orders.*"],
  peers: [],
  nodeMissingOn: [],
  bytes: 400,
  messages: 10,
  firstSeq: 1,
  lastSeq: 10,
  config: { name: "ORDERS" },
  leader: "s1",
  deafSubjects: { ok: true, value: [] },
  consumers: [],
  forgotten: [],
  origins: { ok: true, value: [] },
  ...changes,
});

export const forgotten = (changes: Partial<ForgottenConsumer> = {}): ForgottenConsumer => ({
  server: "s1",
  name: "worker",
  durable: true,
  ackFloor: 7,
  config: { durable_name: "worker" },
  ...changes,
});

/** Expired claims. */
export const OVER = { exp: NOW - 1 } as const;
export const DEAF = { deafSubjects: { ok: true, value: ["orders.*"] } } as const;

/** One server, which runs claims that have expired. */
export const runsExpired = (document = claims(OVER)): Observation["running"] => ({
  ok: true,
  value: [{ server: "s1", loaded: true, expired: true, signatureValid: true, jetstream: true, document }],
});

export const FAILED = { ok: false, code: "nats.timeout", message: "no answer" } as const;

export function observation(changes: Partial<Observation> = {}): Observation {
  const document = claims();
  return {
    account: ACCOUNT,
    at: epochMillis(NOW * 1000),
    servers: [server()],
    stored: { ok: true, value: { document, signatureValid: true } },
    running: {
      ok: true,
      value: [{ server: "s1", loaded: true, expired: false, signatureValid: true, jetstream: true, document }],
    },
    streams: { ok: true, value: [stream({ consumers: [consumer()] })] },
    elsewhere: { ok: true, value: [] },
    leafnodes: { ok: true, value: [] },
    accountView: {
      ok: true,
      value: {
        jetstream: "enabled",
        info: { streams: 1, consumers: 1, limits: {} },
        streamNames: ["ORDERS"],
        failing: [],
        domains: [],
      },
    },
    meta: { ok: true, value: undefined },
    ...changes,
  };
}
