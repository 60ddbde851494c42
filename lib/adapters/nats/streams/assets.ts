import type { NatsConnection } from "@nats-io/transport-node";
import pMap from "p-map";
import type { AccountId } from "../../../domain/claims/account.ts";
import { type Group, nameOfGroup } from "../../../domain/ladder/step-down.ts";
import { defined } from "../../../domain/time/defined.ts";
import { type Millis, millis } from "../../../domain/time/time.ts";
import { RelightError } from "../../../errors.ts";
import type { Assets, Configuration, RefusedConfiguration } from "../../../ports/remedies.ts";
import type { Resolver } from "../../../ports/resolver.ts";
import { type AccountConnectionSettings, withAccountConnections } from "../account/account-connection.ts";
import { order } from "../connection/asking.ts";
import { AT_ONCE } from "../connection/in-flight.ts";
import { CONSUMER_NOT_FOUND, STREAM_NOT_FOUND } from "../probes/api-codes.ts";
import { requestApi } from "./api-requests.ts";
import { piecesOf, recreateAsset, recreationSubjects } from "./recreate.ts";

export interface AssetsSettings extends AccountConnectionSettings {
  /** Reads the claims in force, because a scoped key's template limits its users. */
  readonly resolver: Pick<Resolver, "running">;
}

/** Acts as the account, each time through a new user with only the permissions it needs. */
export function natsAssets(settings: AssetsSettings): Assets {
  const { timeout } = settings;

  async function asAccount<Item, T>(
    account: AccountId,
    accountKey: string,
    items: readonly Item[],
    subjectsOf: (item: Item) => readonly string[],
    work: (connection: NatsConnection, share: readonly Item[]) => Promise<readonly T[]>,
  ): Promise<readonly T[]> {
    const loaded = (await settings.resolver.running(account)).find((entry) => entry.loaded);
    const order = { account, claims: loaded?.document.claims, accountKey, items, subjectsOf };
    return withAccountConnections(settings, order, work);
  }

  return {
    stepDown: async (account, accountKey, groups) => {
      await asAccount(
        account,
        accountKey,
        groups,
        (group) => [stepDownSubject(group)],
        (connection, share) =>
          pMap(share, (group) => stepDownOne(connection, group, timeout), { concurrency: AT_ONCE }),
      );
    },
    configure: async (account, accountKey, configurations) => {
      const refused = await asAccount(account, accountKey, configurations, configurationSubjects, (connection, share) =>
        pMap(share, (wanted) => configureOne(connection, wanted, timeout), { concurrency: AT_ONCE }),
      );
      return refused.filter((refusal) => refusal !== undefined);
    },
    recreate: async (account, accountKey, assets) => {
      const failures = await asAccount(
        account,
        accountKey,
        assets.flatMap(piecesOf),
        recreationSubjects,
        async (connection, share) => {
          const failed: string[] = [];
          for (const asset of share) failed.push(...(await recreateAsset(connection, asset, timeout)));
          return failed;
        },
      );
      if (failures.length > 0)
        throw new RelightError("assets.not_created", failures.join("; "), { details: { failures } });
    },
    forbidden: async (account, accountKey, { recreate = [], configure = [], stepDown = [] }) => {
      const sizes = new Map([
        ...recreate.flatMap(piecesOf).flatMap((piece) => sized(recreationSubjects(piece), piece)),
        ...configure.flatMap((wanted) => sized(configurationSubjects(wanted), wanted)),
        ...stepDown.flatMap((group) => sized([stepDownSubject(group)], "")),
      ]);
      const bound = millis(Math.min(timeout, RIGHTS_TIMEOUT));
      const denied = await asAccount(
        account,
        accountKey,
        [...sizes],
        ([subject]) => [subject],
        (connection, share) =>
          pMap(share, (question) => denialOf(connection, question, bound), { concurrency: AT_ONCE }),
      );
      return denied.filter((denial) => denial !== undefined);
    },
  };
}

/** A subject, and the size of its request in bytes. */
type Question = readonly [subject: string, bytes: number];

/** Estimates the size of requests: no request is much longer than its subject matter. */
function sized(subjects: readonly string[], about: unknown): readonly Question[] {
  const bytes = Buffer.byteLength(JSON.stringify(about));
  return subjects.map((subject) => [subject, bytes]);
}

/** A server refuses a subject at once; no answer means that it is allowed. */
const RIGHTS_TIMEOUT = millis(1_000);
/** A body that no server can read, so the request has no effect and only tests the permission. */
const UNREADABLE = '{"';

/** Why the subject may not be used, for people; undefined if it may. */
async function denialOf(
  connection: NatsConnection,
  [subject, bytes]: Question,
  bound: Millis,
): Promise<string | undefined> {
  if (await isDenied(connection, subject, bound)) return subject;
  // The account's own limit arrives after the sign-in, so it is known by now.
  const most = connection.info?.max_payload ?? Number.POSITIVE_INFINITY;
  return bytes > most ? `${subject} (it needs ${bytes} bytes, but the payload limit is ${most})` : undefined;
}

async function isDenied(connection: NatsConnection, subject: string, bound: Millis): Promise<boolean> {
  try {
    await order(connection, subject, UNREADABLE, bound);
    return false;
  } catch (thrown) {
    if (!(thrown instanceof RelightError)) throw thrown;
    if (thrown.code === "nats.unauthorized") return true;
    if (thrown.code === "nats.connection_lost") throw thrown;
    return false;
  }
}

const configurationSubjects = (wanted: Configuration): readonly string[] => [
  updateSubject(wanted),
  infoSubject(wanted),
];

function updateSubject({ stream, consumer, config }: Configuration): string {
  if (consumer === undefined) return `$JS.API.STREAM.UPDATE.${stream}`;
  if (config["durable_name"] !== undefined) return `$JS.API.CONSUMER.DURABLE.CREATE.${stream}.${consumer}`;
  const filter = config["filter_subject"];
  return ["$JS.API.CONSUMER.CREATE", stream, consumer, ...(filter ? [filter] : [])].join(".");
}

function infoSubject({ stream, consumer }: Group): string {
  return consumer === undefined ? `$JS.API.STREAM.INFO.${stream}` : `$JS.API.CONSUMER.INFO.${stream}.${consumer}`;
}

async function configureOne(
  connection: NatsConnection,
  wanted: Configuration,
  timeout: Millis,
): Promise<RefusedConfiguration | undefined> {
  const { stream, consumer, config, create } = wanted;
  // Servers before 2.10 treat an update as a creation, but an ephemeral consumer that is gone must not come back.
  const mayHaveGone = consumer !== undefined && config["durable_name"] === undefined;
  const gone = mayHaveGone ? await refusal(connection, wanted, infoSubject(wanted), "", timeout) : undefined;
  if (gone?.gone) return gone;
  const body = consumer === undefined ? config : { stream_name: stream, config, action: create ? "" : "update" };
  return refusal(connection, wanted, updateSubject(wanted), JSON.stringify(body), timeout);
}

/** Sends a request and returns the server's refusal; undefined if it agreed or did not answer. */
async function refusal(
  connection: NatsConnection,
  { stream, consumer }: Group,
  subject: string,
  body: string,
  timeout: Millis,
): Promise<RefusedConfiguration | undefined> {
  const answer = await requestApi(connection, subject, body, timeout);
  if (answer.state !== "refused") return undefined;
  return {
    stream,
    ...defined({ consumer }),
    reason: answer.reason,
    gone: answer.code === STREAM_NOT_FOUND || answer.code === CONSUMER_NOT_FOUND,
  };
}

function stepDownSubject({ stream, consumer }: Group): string {
  if (consumer === undefined) return `$JS.API.STREAM.LEADER.STEPDOWN.${stream}`;
  return `$JS.API.CONSUMER.LEADER.STEPDOWN.${stream}.${consumer}`;
}

async function stepDownOne(connection: NatsConnection, group: Group, timeout: Millis): Promise<void> {
  const refused = await refusal(connection, group, stepDownSubject(group), "", timeout);
  if (refused === undefined || refused.gone) return;
  throw new RelightError(
    "assets.not_stepped_down",
    `the leader of ${nameOfGroup(group)} did not step down: ${refused.reason}`,
  );
}
