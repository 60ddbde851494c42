import { JetStreamApiError, type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import type { JsonObject } from "../../domain/json.ts";
import type { MemoryAsset } from "../../domain/memory.ts";
import { RelightError } from "../../errors.ts";
import type { Assets } from "../../ports.ts";
import { type AccountConnectionSettings, withAccountConnection } from "./account-connection.ts";

/** Makes streams and consumers as the account, through a user that may create just these. */
export function natsAssets(settings: AccountConnectionSettings): Assets {
  return {
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
