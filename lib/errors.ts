import type { Probe } from "./domain/observation/observation.ts";
import { defined } from "./domain/time/defined.ts";
import type { JsonObject } from "./domain/time/json.ts";

/** How a program ends: Nagios' convention, which monitoring tools understand. */
export const EXIT = { ok: 0, warning: 1, critical: 2, unknown: 3 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

interface ErrorKind {
  /** Whether trying again can help. */
  readonly retryable: boolean;
  readonly exit: ExitCode;
  /** What to do about it, in a sentence. */
  readonly advice: string;
}

const again = (exit: ExitCode, advice: string): ErrorKind => ({ retryable: true, exit, advice });
const final = (exit: ExitCode, advice: string): ErrorKind => ({ retryable: false, exit, advice });

/**
 * The catalog of errors: whether trying again can help, the exit code, and what to do.
 * docs/reference.md lists every code, and a test keeps it so.
 */
export const ERRORS = {
  usage: final(EXIT.unknown, "See `relight --help`."),
  "config.not_found": final(
    EXIT.unknown,
    "Name the file with --config FILE, or run relight where relight.yaml lies.",
  ),
  "config.invalid": final(EXIT.unknown, "Mend each line named; docs/reference.md lists every key."),
  "secret.invalid_reference": final(EXIT.unknown, "Use file:PATH, env:NAME or aws-sm://NAME#FIELD."),
  "secret.not_found": final(
    EXIT.unknown,
    "Put the secret where the reference points, or correct the reference.",
  ),
  "secret.unavailable": again(EXIT.unknown, "Check the secret store and the right to read it."),
  "secret.malformed": final(
    EXIT.critical,
    "The secret was read but isn't what it should be; store a seed, a JWT, a credentials file, or PEM for cluster.tls.",
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
    "The KMS key must exist, be enabled and be of the spec ECC_NIST_EDWARDS25519 (docs/keys.md).",
  ),
  "signer.denied": final(
    EXIT.critical,
    "Allow kms:GetPublicKey and kms:Sign on the key, in its policy and in that of Relight's role.",
  ),
  "signer.unavailable": again(
    EXIT.unknown,
    "Try again; check the network to KMS, its quotas and the credentials for AWS.",
  ),
  "signer.too_large": final(
    EXIT.critical,
    "KMS signs 4096 bytes at most: make the account's claims smaller, or sign with a seed (docs/keys.md).",
  ),
  "signer.missing": final(EXIT.critical, "Configure operator.signingKey to sign."),
  "mode.forbids": final(
    EXIT.critical,
    "The message says what decides: readOnly, mode or operator.signingKey in the configuration, or --dry-run.",
  ),
  "rotation.refused": final(
    EXIT.critical,
    "Rotate the secret of cluster.systemCredentials, and let Secrets Manager call the steps (docs/keys.md).",
  ),
  "jwt.malformed": final(EXIT.critical, "Give an encoded version 2 account JWT."),
  "claims.unreadable": final(EXIT.unknown, "Have its issuer make the JWT anew."),
  "gate.refused": final(
    EXIT.critical,
    "Have the JWT issued again without what is refused; nothing was pushed.",
  ),
  "source.unavailable": again(
    EXIT.unknown,
    "Check source.from in the configuration, and the right to read what it names.",
  ),
  "limits.refused": final(
    EXIT.critical,
    "See each reason; nothing was pushed. --force overrides those that servers would not object to.",
  ),
  "nats.unreachable": again(
    EXIT.unknown,
    "Check cluster.servers, the network and that a nats-server listens there.",
  ),
  "nats.no_tls": final(
    EXIT.critical,
    "Give the server TLS (docs/tls.md). Write nats:// and no cluster.tls only if its plain text may be read by others.",
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
    "cluster.systemCredentials must be of a user of the system account; these are of another account.",
  ),
  "nats.connection_lost": again(
    EXIT.unknown,
    "The server went away midway; run the command again, the journal knows where it stopped.",
  ),
  "nats.timeout": again(EXIT.unknown, "No answer in time; check the servers' load and network."),
  "nats.no_resolver": final(
    EXIT.unknown,
    "The servers need a NATS-based resolver (resolver: { type: full, … }).",
  ),
  "nats.bad_answer": again(EXIT.unknown, "A server answered what it never should; report it."),
  "nats.list_cut": again(
    EXIT.unknown,
    "Run it again; if it stays, the account has more subscriptions or connections than a server lists.",
  ),
  "assets.not_created": final(
    EXIT.critical,
    "Make it by hand with the configuration that the journal holds (relight journal ACCOUNT --json).",
  ),
  "assets.not_stepped_down": final(
    EXIT.critical,
    "Look at the group with `nats stream report`; it may have no leader, or no quorum.",
  ),
  "assets.not_configured": final(
    EXIT.critical,
    "See the server's reason; nothing is left changed, or the next run changes it back.",
  ),
  "assets.not_settled": again(
    EXIT.critical,
    "Look at the named streams with `nats stream report`; Relight's next run changes back what it changed.",
  ),
  "restart.refused": final(
    EXIT.critical,
    "Mend what the guard objects to; a server restarted now could take more down than it brings back.",
  ),
  "restart.busy": again(EXIT.unknown, "Wait for the other job; servers are restarted one at a time."),
  "restart.unfinished": final(
    EXIT.critical,
    "Look at the server that is named; then `relight confirm-restart SERVER` lets Relight restart again.",
  ),
  "restart.failed": final(
    EXIT.critical,
    "Check `restart` in the configuration, the right to restart servers, and the server that is named.",
  ),
  "push.rejected": final(EXIT.critical, "A server refused the JWT; see why."),
  "push.not_proved": again(
    EXIT.critical,
    "A server accepted the JWT and does not run it; see which in the details.",
  ),
  "manifest.invalid": final(
    EXIT.unknown,
    "Give Kubernetes YAML that holds a nats-server, such as `kubectl get statefulset nats -o yaml`.",
  ),
  "account.unknown": final(
    EXIT.unknown,
    "Use the account's id (A…) or the name it has in the configuration or in its claims.",
  ),
  "account.deleted": final(
    EXIT.critical,
    "Only a person may bring it back: `relight push FILE --undelete` or `renew ACCOUNT --undelete` (docs/claims.md).",
  ),
  "account.no_claims": final(
    EXIT.critical,
    "No server, resolver or journal knows the account's claims; push its JWT with `relight push FILE`.",
  ),
  "account.busy": again(
    EXIT.unknown,
    "Another job works on this account; wait for it. If its process died, its lease ends within 30 seconds.",
  ),
  interrupted: again(EXIT.unknown, "Run it again; it goes on where it stopped."),
  "journal.unavailable": again(EXIT.unknown, "Check that the journal's place can be written."),
  "journal.entry_too_large": final(
    EXIT.critical,
    "What a remedy must give back does not fit into the journal, so it was not begun; heal it from a machine with journal: sqlite:PATH.",
  ),
  "job.invalid": final(
    EXIT.critical,
    "A message in the queue is no job of Relight's; find out who sends there. It ends in the dead-letter queue.",
  ),
  "queue.unavailable": again(EXIT.unknown, "Check the queue, and the right to it."),
  "webhook.unauthorized": final(
    EXIT.critical,
    "Sign with one of the configured webhook secrets and send it within five minutes.",
  ),
  "webhook.invalid": final(EXIT.critical, "See docs/reference.md for its shape."),
  "webhook.busy": again(
    EXIT.unknown,
    "Another run takes the same delivery; send it again. If that run died, its lease ends within two minutes.",
  ),
  "request.unauthorized": final(
    EXIT.critical,
    "Sign the request with AWS credentials that may call the API (docs/api.md).",
  ),
  "request.invalid": final(EXIT.unknown, "See docs/api.md for the routes and what each takes."),
  "request.unknown": final(
    EXIT.unknown,
    "See docs/api.md for the routes; an order is known by the correlation that the API answered with.",
  ),
  "event.invalid": final(
    EXIT.critical,
    "A message in the queue of pages is no incident; look at the rules that send there. It ends in the dead letters.",
  ),
  "events.unavailable": again(
    EXIT.unknown,
    "Check `events` in the configuration, and the right to events:PutEvents on that bus.",
  ),
  "page.busy": again(
    EXIT.unknown,
    "Another run tells the same page; wait for it. If it died, its lease ends within two minutes.",
  ),
  "escalation.undeliverable": again(EXIT.critical, "Check the escalation channel."),
  internal: final(EXIT.unknown, "This is a bug in Relight; please report it."),
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

/** The one error of this code base: a stable code, fields, and what caused it. */
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

/** Any thrown value as a RelightError; what is not one already becomes `internal`. */
export function asRelightError(thrown: unknown): RelightError {
  if (thrown instanceof RelightError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new RelightError("internal", message, { cause: thrown });
}

const TOLD = new WeakSet<object>();

/** What a log line says of an error: all of it the first time, then its code: one error is told once. */
export function told(thrown: unknown): { readonly error: object } {
  const error = asRelightError(thrown);
  const self = typeof thrown === "object" && thrown !== null ? thrown : error;
  if (TOLD.has(self)) return { error: { code: error.code } };
  TOLD.add(self);
  return { error: error.toJSON() };
}

/** What was asked, or why there is no answer. A lost connection and a bug are thrown: no answer may hide them. */
export async function probe<T>(question: () => Promise<T>): Promise<Probe<T>> {
  try {
    return { ok: true, value: await question() };
  } catch (thrown) {
    const { code, message } = asRelightError(thrown);
    if (code === "nats.connection_lost" || code === "internal") throw thrown;
    return { ok: false, code, message };
  }
}
