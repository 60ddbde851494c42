import { JetStreamApiError, type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import pMap from "p-map";
import { isJsonObject, type JsonObject } from "../../domain/json.ts";
import type { MemoryAsset } from "../../domain/memory.ts";
import { type Group, nameOfGroup } from "../../domain/step-down.ts";
import type { Millis } from "../../domain/time.ts";
import { RelightError } from "../../errors.ts";
import type { Assets, Configuration, RefusedConfiguration } from "../../ports-remedies.ts";
import { type AccountConnectionSettings, withAccountConnection } from "./account-connection.ts";
import { CONSUMER_NOT_FOUND, STREAM_NOT_FOUND } from "./api-codes.ts";
import { AT_ONCE, ask, readJson } from "./connection.ts";

/** Acts as the account, each time through a user minted for it that may do just what is to be done. */
export function natsAssets(settings: AccountConnectionSettings): Assets {
  return {
    stepDown: async (account, accountKey, groups) => {
      const mayAsk = groups.map(stepDownSubject);
      await withAccountConnection(
        settings,
        { account, claims: undefined, accountKey, mayAsk },
        (connection) =>
          pMap(groups, (group) => stepDownOne(connection, group, settings.timeout), { concurrency: AT_ONCE }),
      );
    },
    configure: async (account, accountKey, configurations) => {
      const mayAsk = configurations.flatMap((wanted) => [updateSubject(wanted), infoSubject(wanted)]);
      const refused = await withAccountConnection(
        settings,
        { account, claims: undefined, accountKey, mayAsk },
        (connection) =>
          pMap(configurations, (wanted) => configureOne(connection, wanted, settings.timeout), {
            concurrency: AT_ONCE,
          }),
      );
      return refused.filter((refusal) => refusal !== undefined);
    },
    recreate: async (account, accountKey, assets) => {
      const mayAsk = assets.flatMap(subjectsOf);
      await withAccountConnection(
        settings,
        { account, claims: undefined, accountKey, mayAsk },
        async (connection) => {
          const manager = await jetstreamManager(connection, { timeout: settings.timeout, checkAPI: false });
          for (const asset of assets) await recreateOne(manager, asset);
        },
      );
    },
  };
}

function updateSubject({ stream, consumer, config }: Configuration): string {
  if (consumer === undefined) return `$JS.API.STREAM.UPDATE.${stream}`;
  if (config["durable_name"] !== undefined) return `$JS.API.CONSUMER.DURABLE.CREATE.${stream}.${consumer}`;
  const filter = config["filter_subject"];
  return ["$JS.API.CONSUMER.CREATE", stream, consumer, ...(filter ? [filter] : [])].join(".");
}

function infoSubject({ stream, consumer }: Group): string {
  return consumer === undefined
    ? `$JS.API.STREAM.INFO.${stream}`
    : `$JS.API.CONSUMER.INFO.${stream}.${consumer}`;
}

async function configureOne(
  connection: NatsConnection,
  wanted: Configuration,
  timeout: Millis,
): Promise<RefusedConfiguration | undefined> {
  const { stream, consumer, config, create } = wanted;
  // To servers before 2.10 an update is a creation: an ephemeral consumer that has gone must not come back.
  const mayHaveGone = consumer !== undefined && config["durable_name"] === undefined;
  const gone = mayHaveGone ? await refusal(connection, wanted, infoSubject(wanted), "", timeout) : undefined;
  if (gone?.gone) return gone;
  const body =
    consumer === undefined ? config : { stream_name: stream, config, action: create ? "" : "update" };
  return refusal(connection, wanted, updateSubject(wanted), JSON.stringify(body), timeout);
}

/** Asks, and gives the server's refusal if it was one; undefined where it agreed or did not answer. */
async function refusal(
  connection: NatsConnection,
  { stream, consumer }: Group,
  subject: string,
  body: string,
  timeout: Millis,
): Promise<RefusedConfiguration | undefined> {
  const answer = await ask(connection, subject, body, timeout).catch((error: unknown) => {
    if (error instanceof RelightError && error.code === "nats.timeout") return undefined;
    throw error;
  });
  const error = answer === undefined ? undefined : readJson(answer)["error"];
  if (!isJsonObject(error)) return undefined;
  const code = error["err_code"];
  return {
    ...{ stream, ...(consumer === undefined ? {} : { consumer }), reason: String(error["description"]) },
    gone: code === STREAM_NOT_FOUND || code === CONSUMER_NOT_FOUND,
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

function subjectsOf({ stream }: MemoryAsset): string[] {
  return [
    `$JS.API.STREAM.CREATE.${stream}`,
    `$JS.API.STREAM.INFO.${stream}`,
    `$JS.API.CONSUMER.CREATE.${stream}.>`,
    `$JS.API.CONSUMER.DURABLE.CREATE.${stream}.>`,
    `$JS.API.CONSUMER.INFO.${stream}.>`,
  ];
}

async function recreateOne(
  manager: JetStreamManager,
  { stream, config, consumers }: MemoryAsset,
): Promise<void> {
  try {
    if (config !== undefined && (await isMissing(() => manager.streams.info(stream))))
      await manager.streams.add(config as unknown as Parameters<JetStreamManager["streams"]["add"]>[0]);
    for (const consumer of consumers) await recreateConsumer(manager, stream, consumer);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RelightError("assets.not_created", `stream ${stream} could not be made anew: ${reason}`, {
      cause,
    });
  }
}

async function recreateConsumer(
  manager: JetStreamManager,
  stream: string,
  config: JsonObject,
): Promise<void> {
  if (await isMissing(() => manager.consumers.info(stream, String(config["durable_name"]))))
    await manager.consumers.add(stream, config);
}

async function isMissing(ask: () => Promise<unknown>): Promise<boolean> {
  try {
    await ask();
    return false;
  } catch (error) {
    if (!(error instanceof JetStreamApiError)) throw error;
    if (error.code === STREAM_NOT_FOUND || error.code === CONSUMER_NOT_FOUND) return true;
    throw error;
  }
}
