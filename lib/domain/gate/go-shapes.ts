/** How Go's `encoding/json` decodes one value of a JWT, and what it refuses. */
export type GoShape =
  | { readonly is: "string" }
  | { readonly is: "bool" }
  | { readonly is: "integer"; readonly min: bigint; readonly max: bigint }
  /** A string that must be one of these; `null` is also refused. */
  | { readonly is: "choice"; readonly of: readonly string[] }
  /** A struct: keys match exactly or case-insensitively; unknown keys are ignored. */
  | { readonly is: "struct"; readonly fields: Readonly<Record<string, GoShape>> }
  /** A map: its keys are data and case-sensitive. */
  | { readonly is: "map"; readonly of: GoShape }
  | { readonly is: "list"; readonly of: GoShape; readonly nulls: boolean }
  /** The first of these that fits; otherwise refused. */
  | { readonly is: "either"; readonly of: readonly GoShape[] }
  /** Decoded to `any` and then again, which converts its numbers to 64-bit floats. */
  | { readonly is: "float-first"; readonly of: GoShape };

const integer = (min: bigint, max: bigint): GoShape => ({ is: "integer", min, max });
const struct = (fields: Readonly<Record<string, GoShape>>): GoShape => ({ is: "struct", fields });
const map = (of: GoShape): GoShape => ({ is: "map", of });
const list = (of: GoShape): GoShape => ({ is: "list", of, nulls: true });
const listOfPointers = (of: GoShape): GoShape => ({ is: "list", of, nulls: false });

const STRING: GoShape = { is: "string" };
const BOOL: GoShape = { is: "bool" };
const INT64 = integer(-(2n ** 63n), 2n ** 63n - 1n);
const UINT64 = integer(0n, 2n ** 64n - 1n);
const UINT8 = integer(0n, 255n);
const STRINGS = list(STRING);

const INFO = { description: STRING, info_url: STRING };
// Servers can't encode a time outside the years 0 to 9999, so they report nothing about an account that has one.
const REVOCATIONS = map(integer(-62_167_219_200n, 253_402_300_799n));
const DIRECTION: GoShape = { is: "choice", of: ["stream", "service"] };
const SAMPLING: GoShape = {
  is: "either",
  // Servers can't encode other numbers, so they report nothing about an account that has one.
  of: [{ is: "choice", of: ["headers", "Headers", "HEADERS"] }, integer(0n, 100n)],
};

const IMPORT = struct({
  name: STRING,
  subject: STRING,
  account: STRING,
  token: STRING,
  to: STRING,
  local_subject: STRING,
  type: DIRECTION,
  share: BOOL,
  allow_trace: BOOL,
});

const EXPORT = struct({
  name: STRING,
  subject: STRING,
  type: DIRECTION,
  token_req: BOOL,
  revocations: REVOCATIONS,
  response_type: STRING,
  response_threshold: INT64,
  account_token_position: UINT64,
  service_latency: struct({ sampling: SAMPLING, results: STRING }),
  advertise: BOOL,
  allow_trace: BOOL,
  ...INFO,
});

const JETSTREAM_LIMITS = {
  mem_storage: INT64,
  disk_storage: INT64,
  streams: INT64,
  consumer: INT64,
  max_ack_pending: INT64,
  mem_max_stream_bytes: INT64,
  disk_max_stream_bytes: INT64,
  max_bytes_required: BOOL,
};

const NATS_LIMITS = { subs: INT64, data: INT64, payload: INT64 };

const LIMITS = struct({
  ...NATS_LIMITS,
  imports: INT64,
  exports: INT64,
  wildcards: BOOL,
  disallow_bearer: BOOL,
  conn: INT64,
  leaf: INT64,
  ...JETSTREAM_LIMITS,
  tiered_limits: map(struct(JETSTREAM_LIMITS)),
});

const PERMISSION = struct({ allow: STRINGS, deny: STRINGS });
const PERMISSIONS = { pub: PERMISSION, sub: PERMISSION, resp: struct({ max: INT64, ttl: INT64 }) };

const SCOPE = struct({
  kind: { is: "choice", of: ["user_scope"] },
  key: STRING,
  role: STRING,
  description: STRING,
  template: struct({
    ...PERMISSIONS,
    ...NATS_LIMITS,
    src: { is: "either", of: [STRINGS, STRING] },
    times: list(struct({ start: STRING, end: STRING })),
    times_location: STRING,
    bearer_token: BOOL,
    proxy_required: BOOL,
    allowed_connection_types: STRINGS,
  }),
});

const ACCOUNT = struct({
  imports: listOfPointers(IMPORT),
  exports: listOfPointers(EXPORT),
  limits: LIMITS,
  signing_keys: list({ is: "either", of: [STRING, { is: "float-first", of: SCOPE }] }),
  revocations: REVOCATIONS,
  default_permissions: struct(PERMISSIONS),
  mappings: map(list(struct({ subject: STRING, weight: UINT8, cluster: STRING }))),
  authorization: struct({ auth_users: STRINGS, allowed_accounts: STRINGS, xkey: STRING }),
  trace: struct({ dest: STRING, sampling: INT64 }),
  cluster_traffic: STRING,
  ...INFO,
  tags: STRINGS,
  type: STRING,
  version: INT64,
});

/** The payload of an account JWT: the structs and decoders of nats-io/jwt/v2, with all fields of any version up to 2.8.3. */
export const ACCOUNT_CLAIMS = struct({
  aud: STRING,
  exp: INT64,
  jti: STRING,
  iat: INT64,
  iss: STRING,
  name: STRING,
  nbf: INT64,
  sub: STRING,
  nats: ACCOUNT,
  // A field of version 1. Its presence makes the JWT version 1 (`identifier` in decoder.go).
  type: STRING,
});

/** The header of any JWT. */
export const JWT_HEADER = struct({ typ: STRING, alg: STRING });
