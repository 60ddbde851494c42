import { JetStreamApiError, type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import pMap from "p-map";
import { isJsonObject, type JsonObject } from "../../domain/json.ts";
import type { MemoryAsset } from "../../domain/memory.ts";
import type { Group } from "../../domain/step-down.ts";
import type { Millis } from "../../domain/time.ts";
import { RelightError } from "../../errors.ts";
import type { Assets } from "../../ports.ts";
import { type AccountConnectionSettings, withAccountConnection } from "./account-connection.ts";
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

function stepDownSubject({ stream, consumer }: Group): string {
  if (consumer === undefined) return `$JS.API.STREAM.LEADER.STEPDOWN.${stream}`;
  return `$JS.API.CONSUMER.LEADER.STEPDOWN.${stream}.${consumer}`;
}

async function stepDownOne(connection: NatsConnection, group: Group, timeout: Millis): Promise<void> {
  const { error } = readJson(await ask(connection, stepDownSubject(group), "", timeout));
  if (error === undefined) return;
  const name = [group.stream, group.consumer].filter(Boolean).join(" > ");
  const reason = isJsonObject(error) ? String(error["description"]) : String(error);
  throw new RelightError("assets.not_stepped_down", `the leader of ${name} did not step down: ${reason}`);
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

const STREAM_NOT_FOUND = 10059;
const CONSUMER_NOT_FOUND = 10014;

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
