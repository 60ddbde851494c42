import type { Msg } from "@nats-io/transport-node";
import type { AccountId } from "../../../domain/claims/account.ts";
import type { RunningAccount } from "../../../domain/observation/observation.ts";
import type { JsonObject } from "../../../domain/time/json.ts";
import { epochMillis } from "../../../domain/time/time.ts";
import { asRelightError, RelightError } from "../../../errors.ts";
import type { DecodedJwt, JwtCodec } from "../../../ports/keys.ts";
import { accountInfo, envelope, read } from "../connection/answers.ts";
import { readJson } from "../connection/asking.ts";

/** A decoded JWT, or why it can't be read. */
type Attempt = { readonly ok: true; readonly value: DecodedJwt } | { readonly ok: false; readonly message: string };

export function attempt(codec: JwtCodec, token: string): Attempt {
  try {
    return { ok: true, value: codec.decode(token) };
  } catch (thrown) {
    return { ok: false, message: asRelightError(thrown).message };
  }
}

/** Removed from messages here, because for servers it is an account JWT. */
const NO_JWT = "this is not an account JWT: ";

/** The error for claims that servers accept but Relight can't read. */
export function unreadable(
  account: AccountId,
  { what, problem, ...details }: { what: string; problem: string; expiredOn?: readonly string[] },
): RelightError {
  const expired = details.expiredOn?.length
    ? `; ${details.expiredOn.join(", ")} refuse its clients: the claims have expired, or somebody deleted the account (then add --undelete)`
    : "";
  const message = `${what} claims of account ${account} that Relight can't read: ${problem.replace(NO_JWT, "")}${expired}`;
  return new RelightError("claims.unreadable", message, { details: { account, expiredOn: [], ...details } });
}

/** @throws RelightError `claims.unreadable` if any server runs such claims; names the servers that report them as expired. */
export function runningAccounts(
  answers: readonly Msg[],
  account: AccountId,
  codec: JwtCodec,
): readonly RunningAccount[] {
  const found = answers.map((answer) => runningAccount(answer, account, codec));
  const bad = found.filter((entry): entry is Unread => "problem" in entry);
  const [first] = bad;
  if (first === undefined) return found as readonly RunningAccount[];
  const what = `${bad.map(({ server }) => server).join(", ")} ${bad.length === 1 ? "runs" : "run"}`;
  const expiredOn = found.flatMap((entry) => ("expired" in entry && entry.expired ? [entry.server] : []));
  throw unreadable(account, { what, problem: first.problem, expiredOn });
}

interface Unread {
  readonly server: string;
  readonly expired: boolean;
  readonly problem: string;
}

function runningAccount(message: Msg, account: AccountId, codec: JwtCodec): RunningAccount | Unread {
  const { server, data, error } = read(envelope, readJson(message), "ACCOUNT.INFO");
  if (error?.description.includes("does not exist")) return { server: server.name, loaded: false };
  if (error !== undefined)
    throw new RelightError("nats.bad_answer", `ACCOUNT.INFO of ${account} on ${server.name}: ${error.description}`);
  const info = read(accountInfo, data, `ACCOUNT.INFO of ${account} on ${server.name}`);
  const { expired, jetstream_enabled: jetstream, jwt } = info;
  // If a server could not fetch the claims, it keeps an account without any for the subscriptions that other servers
  // announce, as expired, and fetches them when a client comes (nats-server 2.9.10 to 2.15.1, tested; route.go).
  if (jwt === undefined && expired) return { server: server.name, loaded: false };
  // `decoded_jwt` shows how the server reads the claims; the raw JWT also has claims that the server does not know.
  if (jwt === undefined)
    throw new RelightError("nats.bad_answer", `${server.name} runs account ${account} without a JWT`);
  const own = attempt(codec, jwt);
  if (!own.ok) return { server: server.name, expired, problem: own.message };
  const decoded = info.decoded_jwt === undefined ? {} : { decoded: info.decoded_jwt as JsonObject };
  const { document, signatureValid } = own.value;
  const { client_connections: clients, leafnode_connections: leafnodes, complete } = info;
  const counted = clients === undefined ? {} : { connections: { clients, leafnodes } };
  const appliedAt = Date.parse(info.update_time ?? "");
  const applied = Number.isNaN(appliedAt) ? {} : { appliedAt: epochMillis(appliedAt) };
  const facts = { server: server.name, loaded: true, expired, jetstream } as const;
  const incomplete = complete === false ? { incomplete: true as const } : {};
  return { ...facts, document, signatureValid, ...decoded, ...applied, ...counted, ...incomplete };
}
