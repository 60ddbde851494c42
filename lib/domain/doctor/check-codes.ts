/** How much a check matters. `critical`: something that should work does not, or soon cannot be mended. */
export const SEVERITIES = ["critical", "warning", "info"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** The parts of a check that depend on its code alone. */
export interface CheckKind {
  readonly severity: Severity;
  readonly means: string;
  /** The keys of its evidence. */
  readonly evidence: readonly string[];
  /** What to do. `ACCOUNT`, `SERVER`, `STREAM` and `CONSUMER` stand for what it is about. */
  readonly advice: string;
}

const kind = (severity: Severity, means: string, evidence: readonly string[], advice: string): CheckKind => ({
  severity,
  means,
  evidence,
  advice,
});

const IMPORT = ["exporter", "subject", "type", "incompleteOn"] as const;
const REISSUE =
  "Let the exporter issue another token (`nsc generate activation`), put it into the import, and push both.";

/** All checks of `doctor`. docs/doctor.md and docs/reference.md list them; a test enforces it. */
export const CHECKS = {
  "import.no_exporter": kind(
    "critical",
    "Nobody knows the account that an import names, so it is not in force.",
    IMPORT,
    "Remove the import, or push the exporter's JWT. A typing error in the account's id has the same effect.",
  ),
  "import.no_export": kind(
    "critical",
    "The exporter exports nothing that covers an import, so it is not in force.",
    IMPORT,
    "Add the export to the exporter's claims, or correct the import: its type must be the same, and its subject as narrow.",
  ),
  "import.not_its_place": kind(
    "critical",
    "The export wants the importer's id at a place in the subject, and the import has something else there.",
    [...IMPORT, "place"],
    "Write the importing account's id at that place in the import's subject.",
  ),
  "import.no_token": kind(
    "critical",
    "The export needs an activation token, and the import has none.",
    IMPORT,
    REISSUE,
  ),
  "import.token_wrong": kind(
    "critical",
    "An import's token can't be read, or is for another account, exporter, type or subject.",
    [...IMPORT, "why"],
    REISSUE,
  ),
  "import.token_expired": kind("critical", "An import's token has expired.", [...IMPORT, "at"], REISSUE),
  "import.token_early": kind(
    "critical",
    "An import's token is not valid yet.",
    [...IMPORT, "at"],
    "Wait until then, or let the exporter issue a token without `nbf`. If the time is now, a clock is wrong.",
  ),
  "import.token_key": kind(
    "critical",
    "An import's token is signed by a key that is none of the exporter's (any more).",
    [...IMPORT, "key"],
    `${REISSUE} Or give the exporter that signing key back, if it was removed by mistake.`,
  ),
  "import.token_revoked": kind(
    "critical",
    "The exporter revoked an import's token.",
    IMPORT,
    "If that was not meant: `nsc revocations delete-activation` in the exporting account, then push it. Otherwise remove the import.",
  ),
  "import.incomplete": kind(
    "warning",
    "A server says that it could not bring all of the account's imports into force, and its claims do not tell why.",
    ["servers"],
    "Push the exporters' JWTs, then this account's again (`relight heal ACCOUNT`). Servers fetch tokens that are URLs only when they load the account.",
  ),
  "export.unused": kind(
    "info",
    "No account that Relight sees imports an export.",
    ["subject", "type"],
    "Remove it if nobody will import it. Accounts that no server has loaded are unknown without a full resolver.",
  ),
  "export.everything": kind(
    "info",
    "An export offers every subject of the account to every other account.",
    ["subject", "type"],
    "Export what others need, or require a token (`nsc add export --private`).",
  ),
  "account.name_twice": kind(
    "warning",
    "Several accounts have one name, so commands need their ids.",
    ["accounts"],
    "Rename one, or remove it: often it is the predecessor of a recreated account. `relight forget ID` hides one that is gone.",
  ),
  "account.leafnodes_near": kind(
    "warning",
    "Nine tenths of the leafnode connections that the claims allow (`leaf`) are in use.",
    ["used", "limit"],
    "Raise `leaf` in its claims (`nsc edit account --leaf-conns`), then push it, or close connections.",
  ),
  "claims.too_large": kind(
    "critical",
    "The account's JWT is larger than a server's `max_payload`: it can no longer be pushed, and so not renewed.",
    ["size", "limit"],
    "Shorten the claims (revocations, imports, exports, mappings), or raise `max_payload` of SERVER and of every other server.",
  ),
  "claims.size_near": kind(
    "warning",
    "The account's JWT reaches nine tenths of a server's `max_payload`, into which a push must fit.",
    ["size", "limit"],
    "Shorten the claims (revocations, imports, exports, mappings), or raise `max_payload` of every server.",
  ),
  "claims.revocations": kind(
    "warning",
    "The claims have very many revocations. Each makes the JWT longer.",
    ["revocations", "limit"],
    "Revoke everything before a date at once (`nsc revocations add-user --user-public-key '*' --at TIME`), which drops the older ones.",
  ),
  "server.unseen": kind(
    "warning",
    "A server did not tell how busy it is, or which leafnodes it has: the checks about that say nothing.",
    ["what", "error"],
    "Ask again. If it stays so: `relight doctor --verbose` shows the error.",
  ),
  "server.versions_mixed": kind(
    "warning",
    "Servers run different versions. During an upgrade that is normal; otherwise they differ in what they can do.",
    ["versions"],
    "Finish the upgrade.",
  ),
  "server.name_twice": kind(
    "critical",
    "Several servers have one name. JetStream takes them for one: replicas are lost when it is placed there.",
    ["ids"],
    "Give each server a `server_name` of its own, and restart the renamed ones one by one.",
  ),
  "server.payloads_differ": kind(
    "warning",
    "Servers accept messages of different sizes, so it depends on the server whether a message arrives.",
    ["sizes"],
    "Set the same `max_payload` on every server, and reload them.",
  ),
  "server.connections_full": kind(
    "critical",
    "A server has as many connections as its `max_connections` allows: it refuses further clients.",
    ["used", "limit"],
    "Raise `max_connections` of SERVER and reload it, or spread the clients over more servers.",
  ),
  "server.connections_near": kind(
    "warning",
    "Nine tenths of a server's `max_connections` are in use.",
    ["used", "limit"],
    "Raise `max_connections` of SERVER and reload it, or spread the clients over more servers.",
  ),
  "server.storage_near": kind(
    "warning",
    "Nine tenths of a server's `max_file` or `max_mem` are in use.",
    ["storage", "used", "limit"],
    "Delete or limit streams, move replicas to other servers, or raise the limit of SERVER and restart it.",
  ),
  "server.reserved_near": kind(
    "warning",
    "Nine tenths of a server's `max_file` or `max_mem` are reserved by streams' `max_bytes`: few more can be placed there.",
    ["storage", "used", "limit"],
    "Lower the `max_bytes` of streams that never reach it, add servers, or raise the limit of SERVER and restart it.",
  ),
  "server.cpu": kind(
    "warning",
    "A server uses at least nine tenths of its cores.",
    ["percent", "cores"],
    "Look at what is busy (`nats server report connections --sort msgs-to`), spread it over more servers, or give SERVER more cores.",
  ),
  "server.memory": kind(
    "warning",
    "A server uses at least nine tenths of the memory that it may (`GOMEMLIMIT`).",
    ["used", "limit"],
    "Give SERVER more memory, or move memory streams, connections or replicas to other servers.",
  ),
  "server.slow_clients": kind(
    "info",
    "Clients were too slow to take their messages and were disconnected, since the server's start.",
    ["clients"],
    "If the number grows: `nats server report connections --sort pending` names clients that fall behind.",
  ),
  "server.slow_links": kind(
    "warning",
    "Connections to other servers were too slow and were cut, since the server's start: messages were lost between servers.",
    ["routes", "gateways", "leafnodes"],
    "Check the network between the servers, and raise `write_deadline` or `max_pending` if it is slow by nature.",
  ),
  "server.api_errors": kind(
    "info",
    "At least a tenth of a server's JetStream API requests failed since its start.",
    ["errors", "requests"],
    "`nats event --js-advisory` shows the requests and their errors. Looking for streams that do not exist counts, too.",
  ),
  "server.api_backlog": kind(
    "warning",
    "Many JetStream API requests wait for a server. Beyond ten thousand it drops them.",
    ["inflight", "limit"],
    "Find the clients that ask so often (`nats event --js-advisory`): most create consumers or ask for information in a loop.",
  ),
  "meta.backlog": kind(
    "warning",
    "Many changes of streams and consumers wait for the meta group.",
    ["pending", "limit"],
    "Create fewer streams and consumers at a time, and check the disks of the meta group's servers.",
  ),
  "meta.peer_gone": kind(
    "warning",
    "A member of the meta group has been away for more than an hour, or since the leader was elected. It counts for the quorum, and replicas wait for it.",
    ["peer", "seconds"],
    "Bring it back with its storage. Only if it is gone for good, and after a look at what only it holds: `nats server cluster peer-remove`.",
  ),
  "meta.even": kind(
    "warning",
    "The meta group has an even number of servers: it survives no more failures than with one less.",
    ["size"],
    "Use 3 or 5 servers with JetStream.",
  ),
  "meta.name_twice": kind(
    "warning",
    "The meta group has one name twice: a server came back without its storage under its old name.",
    ["name"],
    "`nats server cluster peer-remove` the one that is offline, by its peer id.",
  ),
  "meta.assets": kind(
    "warning",
    "The streams and consumers of a domain have very many replicas together: elections and restarts of the meta group take long.",
    ["replicas", "limit"],
    "Delete unused consumers, use fewer durable ones, and put independent accounts into a JetStream domain of their own.",
  ),
  "stream.even_replicas": kind(
    "warning",
    "A stream has an even number of replicas: it survives no more failures than with one less, and needs more servers for each message.",
    ["replicas"],
    "`nats stream edit STREAM --replicas 3`, or 1 if it may be lost.",
  ),
  "stream.near_full": kind(
    "warning",
    "A stream that refuses new messages when it is full (`discard: new`) has reached nine tenths of its limit.",
    ["limited", "used", "limit"],
    "Raise the limit (`nats stream edit STREAM`), or let its consumers catch up.",
  ),
  "consumer.ack_pending": kind(
    "warning",
    "A consumer has nine tenths of the unacknowledged messages that it may have (`max_ack_pending`). At the limit it delivers nothing.",
    ["used", "limit"],
    "Check that the application acknowledges what it has done; then more of it, or a higher limit (`nats consumer edit STREAM CONSUMER --max-pending`).",
  ),
  "consumer.redelivers": kind(
    "warning",
    "At least half of a consumer's unacknowledged messages, and ten or more, were delivered before.",
    ["redelivered", "pending"],
    "The application fails on them or takes longer than `ack_wait`: look at its errors, and set `max_deliver`.",
  ),
  "consumer.waiting_near": kind(
    "warning",
    "A pull consumer has nine tenths of the requests that may wait (`max_waiting`). Beyond that they fail.",
    ["used", "limit"],
    "Let each client keep one request open, or raise the limit: `max_waiting` can't be changed, so make the consumer again.",
  ),
  "consumer.no_subscriber": kind(
    "warning",
    "Nobody subscribes to the subject of a push consumer, so it delivers nothing.",
    ["deliverSubject"],
    "Start its application, or delete it: `nats consumer rm STREAM CONSUMER`.",
  ),
  "leafnode.slow": kind(
    "warning",
    "A leafnode's connection has a long round trip, which each request and each publish with acknowledgement across it takes.",
    ["account", "milliseconds", "limit"],
    "Use a nearer hub, or keep streams in the leafnode's own JetStream domain and copy them across by mirrors or sources.",
  ),
  "leafnode.twice": kind(
    "warning",
    "One leafnode has several connections to the same account. If both are of one account of its own, each message crosses twice.",
    ["account", "servers"],
    "Keep one `remotes` entry for each account of the leafnode: several `urls` in it are alternatives.",
  ),
  "domain.shared": kind(
    "warning",
    "Servers that do not belong together have the same JetStream domain: requests reach either of them.",
    ["servers"],
    "Give each cluster and each leafnode a `domain` of its own (`jetstream { domain: NAME }`), and restart it.",
  ),
} as const satisfies Readonly<Record<string, CheckKind>>;

export type CheckCode = keyof typeof CHECKS;
