import type { Probe } from "./domain/observation/observation.ts";
import { defined } from "./domain/time/defined.ts";
import type { JsonObject } from "./domain/time/json.ts";

/** Exit codes by Nagios' convention, which monitoring tools understand. */
export const EXIT = { ok: 0, warning: 1, critical: 2, unknown: 3 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

interface ErrorKind {
  /** Whether a retry can help. */
  readonly retryable: boolean;
  readonly exit: ExitCode;
  /** What to do about it, in a sentence. */
  readonly advice: string;
}

const again = (exit: ExitCode, advice: string): ErrorKind => ({ retryable: true, exit, advice });
const final = (exit: ExitCode, advice: string): ErrorKind => ({ retryable: false, exit, advice });

/**
 * The catalog of errors: whether a retry can help, the exit code, and what to do. docs/reference.md lists every code; a
 * test enforces it.
 */
export const ERRORS = {
  usage: final(EXIT.unknown, "See `relight --help`."),
  "config.not_found": final(
    EXIT.unknown,
    "Name the file with --config FILE, or run relight in the folder that contains relight.yaml.",
  ),
  "config.exists": final(EXIT.unknown, "Name another file with --config FILE, or replace this one with --force."),
  "config.invalid": final(EXIT.unknown, "Fix each key that is named; docs/reference.md lists all keys."),
  "setup.incomplete": final(
    EXIT.unknown,
    "Name what is missing with its option (`relight init --help` lists them), or run it at a terminal, which asks.",
  ),
  "secret.invalid_reference": final(EXIT.unknown, "Use file:PATH, env:NAME or aws-sm://NAME#FIELD."),
  "secret.not_found": final(EXIT.unknown, "Store the secret where the reference points, or correct the reference."),
  "secret.unavailable": again(EXIT.unknown, "Check the secret store and the permission to read it."),
  "secret.malformed": final(
    EXIT.critical,
    "The secret has the wrong content: store a seed, a JWT, a credentials file, or PEM for cluster.tls.",
  ),
  "operator.invalid": final(
    EXIT.critical,
    "operator.jwt must be the operator JWT that the servers trust (nsc describe operator --raw).",
  ),
  "signer.untrusted_key": final(
    EXIT.critical,
    "operator.signingKey must be the operator's key or one of its signing keys (docs/keys.md).",
  ),
  "signer.unusable_key": final(
    EXIT.critical,
    "The KMS key must exist, be enabled, and have the key spec ECC_NIST_EDWARDS25519 (docs/keys.md).",
  ),
  "signer.denied": final(
    EXIT.critical,
    "Allow kms:GetPublicKey and kms:Sign on the key, in the key policy and in the policy of Relight's role.",
  ),
  "signer.unavailable": again(EXIT.unknown, "Try again; check the network to KMS, its quotas and the AWS credentials."),
  "signer.too_large": final(
    EXIT.critical,
    "KMS signs at most 4096 bytes: make the account's claims smaller, or sign with a seed (docs/keys.md).",
  ),
  "signer.missing": final(EXIT.critical, "Configure operator.signingKey."),
  "mode.forbids": final(
    EXIT.critical,
    "The message names the setting that decides: readOnly, mode or operator.signingKey in the configuration, or --dry-run.",
  ),
  "rotation.refused": final(
    EXIT.critical,
    "Rotate the secret of cluster.systemCredentials, with the steps called by Secrets Manager (docs/keys.md).",
  ),
  "jwt.malformed": final(EXIT.critical, "Use an encoded account JWT of version 2."),
  "claims.unreadable": final(EXIT.unknown, "Have the JWT issued again."),
  "gate.refused": final(EXIT.critical, "Nothing was pushed. Have the JWT issued again without the refused claims."),
  "source.unavailable": again(EXIT.unknown, "Check source.from in the configuration, and the permission to read it."),
  "limits.refused": final(
    EXIT.critical,
    "Nothing was pushed. See the reasons; --force overrides those that do not come from the servers.",
  ),
  "nats.unreachable": again(EXIT.unknown, "Check cluster.servers, the network, and that a nats-server listens there."),
  "nats.no_tls": final(
    EXIT.critical,
    "Configure TLS on the server (docs/tls.md). Use nats:// without cluster.tls only if others may read the traffic.",
  ),
  "nats.tls_failed": final(
    EXIT.critical,
    "The message says what to change: cluster.tls, cluster.servers or the server's certificate (docs/tls.md).",
  ),
  "nats.unauthorized": final(
    EXIT.critical,
    "cluster.systemCredentials must be the credentials of a valid user of the system account.",
  ),
  "nats.not_system_account": final(
    EXIT.critical,
    "cluster.systemCredentials must belong to a user of the system account; these belong to another account.",
  ),
  "nats.connection_lost": again(
    EXIT.unknown,
    "The server closed the connection. Run the command again; it continues where it stopped.",
  ),
  "nats.timeout": again(EXIT.unknown, "A server did not answer in time; check its load and the network."),
  "nats.no_resolver": final(
    EXIT.unknown,
    "Only a full resolver (resolver: { type: full, … }) keeps JWTs and lists them; see docs/claims.md#resolvers.",
  ),
  "push.nowhere": final(
    EXIT.critical,
    "Put the JWT into resolver_preload, or where the resolver's URL serves it, or let a client of the account connect first.",
  ),
  "nats.bad_answer": again(EXIT.unknown, "A server's answer was invalid; please report it."),
  "nats.list_cut": again(
    EXIT.unknown,
    "Run it again; if it repeats, the account has more subscriptions or connections than a server lists.",
  ),
  "assets.not_created": final(
    EXIT.critical,
    "Create it by hand with the configuration in the journal (`relight journal ACCOUNT --json`).",
  ),
  "assets.not_stepped_down": final(
    EXIT.critical,
    "See `nats stream report`; the group may have no leader or no quorum.",
  ),
  "assets.not_configured": final(
    EXIT.critical,
    "See the server's reason. Changes are undone, at the latest by the next run.",
  ),
  "assets.not_settled": again(
    EXIT.critical,
    "Check the named streams with `nats stream report`; Relight's next run undoes its changes.",
  ),
  "restart.refused": final(EXIT.critical, "Fix what the guard objects to; a restart now could do more harm than good."),
  "restart.busy": again(EXIT.unknown, "Wait for the other job; Relight restarts servers one at a time."),
  "restart.unfinished": final(
    EXIT.critical,
    "Check the named server, then run `relight confirm-restart SERVER`; Relight may then restart servers again.",
  ),
  "restart.failed": final(
    EXIT.critical,
    "Check `restart` in the configuration, the permission to restart servers, and the named server.",
  ),
  "push.rejected": final(EXIT.critical, "A server refused the JWT; see its reason."),
  "push.not_proved": again(
    EXIT.critical,
    "A server accepted the JWT but does not run it; the details name the server.",
  ),
  "manifest.invalid": final(
    EXIT.unknown,
    "Pass Kubernetes YAML with a nats-server, such as the output of `kubectl get statefulset nats -o yaml`.",
  ),
  "account.unknown": final(
    EXIT.unknown,
    "Use the account's name in the configuration or its claims, its id (A…), or the beginning of its id.",
  ),
  "account.deleted": final(
    EXIT.critical,
    "Only a person may bring it back: `relight push FILE --undelete` or `relight renew ACCOUNT --undelete` (docs/claims.md).",
  ),
  "account.no_claims": final(
    EXIT.critical,
    "Neither the servers, the resolver nor the journal have the account's claims; push its JWT with `relight push FILE`.",
  ),
  "account.busy": again(
    EXIT.unknown,
    "Another job is working on this account; wait for it. If its process crashed, its lease ends within 30 seconds. `relight verify` checks the account meanwhile.",
  ),
  interrupted: again(EXIT.unknown, "Run it again; it continues where it stopped."),
  "journal.unavailable": again(EXIT.unknown, "Check that the journal is reachable and writable."),
  "journal.entry_too_large": final(
    EXIT.critical,
    "The undo data of a remedy does not fit into the journal, so the remedy did not begin; heal the account from a machine with journal: sqlite:PATH.",
  ),
  "job.invalid": final(
    EXIT.critical,
    "A message in the queue is not a Relight job; find out who sent it. It goes to the dead-letter queue.",
  ),
  "queue.unavailable": again(EXIT.unknown, "Check the queue and the permission to use it."),
  "webhook.unauthorized": final(
    EXIT.critical,
    "Sign with one of the configured webhook secrets, and send within five minutes.",
  ),
  "webhook.invalid": final(EXIT.critical, "See docs/reference.md for the format."),
  "webhook.conflict": final(
    EXIT.critical,
    "Use a new webhook-id for each message. A repetition has the same id and the same body.",
  ),
  "webhook.busy": again(
    EXIT.unknown,
    "Another run handles the same delivery; send it again. If that run crashed, its lease ends within two minutes.",
  ),
  "request.unauthorized": final(
    EXIT.critical,
    "Sign the request with AWS credentials that are allowed to call the API (docs/api.md).",
  ),
  "request.invalid": final(EXIT.unknown, "See docs/api.md for the routes and their parameters."),
  "request.unknown": final(
    EXIT.unknown,
    "See docs/api.md for the routes; an order's id is the correlation in the API's answer.",
  ),
  "oidc.unavailable": again(
    EXIT.unknown,
    "Check serve.access.oidc.issuer, and that this machine reaches it; operators may sign in with a token meanwhile.",
  ),
  "request.locked": again(EXIT.critical, "Wait, and check the token or the proxy; the log says what was refused."),
  "request.too_large": final(EXIT.unknown, "Send a smaller body (docs/serve.md)."),
  "listen.failed": final(
    EXIT.unknown,
    "Choose another address with --listen or serve.listen, or stop the program that has it.",
  ),
  "event.invalid": final(
    EXIT.critical,
    "A message in the page queue is not an incident; check the rules that send to it. It goes to the dead-letter queue.",
  ),
  "events.unavailable": again(
    EXIT.unknown,
    "Check `events` in the configuration, and the permission events:PutEvents on that bus.",
  ),
  "page.busy": again(
    EXIT.unknown,
    "Another run sends the same page; wait for it. If it crashed, its lease ends within two minutes.",
  ),
  "escalation.undeliverable": again(EXIT.critical, "Check the escalation channels."),
  internal: final(EXIT.unknown, "This is a bug in Relight; please report it."),
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

/** Relight's error class: a stable code, structured details, and a cause. */
export class RelightError extends Error {
  readonly code: ErrorCode;
  readonly details: JsonObject;

  constructor(code: ErrorCode, message: string, options: { details?: JsonObject; cause?: unknown } = {}) {
    super(message, defined({ cause: options.cause }));
    this.name = "RelightError";
    this.code = code;
    this.details = options.details ?? {};
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }

  get exitCode(): ExitCode {
    return ERRORS[this.code].exit;
  }

  /** What to do about it, in a sentence. */
  get advice(): string {
    return ERRORS[this.code].advice;
  }

  toJSON(): JsonObject {
    const { code, message, advice, retryable, details } = this;
    return {
      code,
      message,
      mend: advice,
      retryable,
      ...(Object.keys(details).length > 0 ? { details } : {}),
    };
  }
}

/** Any thrown value as a RelightError; unknown ones get the code `internal`. */
export function asRelightError(thrown: unknown): RelightError {
  if (thrown instanceof RelightError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new RelightError("internal", message, { cause: thrown });
}

const LOGGED = new WeakSet<object>();

/** The fields of a log line for an error: everything the first time, afterwards only its code. */
export function errorFields(thrown: unknown): { readonly error: object } {
  const error = asRelightError(thrown);
  const self = typeof thrown === "object" && thrown !== null ? thrown : error;
  if (LOGGED.has(self)) return { error: { code: error.code } };
  LOGGED.add(self);
  return { error: error.toJSON() };
}

/** Runs a request and returns its answer or its error. Rethrows lost connections and bugs, which must not be hidden. */
export async function probe<T>(question: () => Promise<T>): Promise<Probe<T>> {
  try {
    return { ok: true, value: await question() };
  } catch (thrown) {
    const { code, message } = asRelightError(thrown);
    if (code === "nats.connection_lost" || code === "internal") throw thrown;
    return { ok: false, code, message };
  }
}
