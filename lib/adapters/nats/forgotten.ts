import type { NatsConnection } from "@nats-io/transport-node";
import pMap from "p-map";
import type { AccountId } from "../../domain/account.ts";
import { isJsonObject, type JsonObject } from "../../domain/json.ts";
import type { ForgottenConsumer, Probe, RunningAccount, ServerFacts } from "../../domain/observation.ts";
import { type Group, nameOfGroup } from "../../domain/step-down.ts";
import { type Millis, millis } from "../../domain/time.ts";
import { probe } from "../../errors.ts";
import { type AccountConnectionSettings, withAccountConnection } from "./account-connection.ts";
import type { StreamDetail } from "./answers.ts";
import { CONSUMER_NOT_FOUND } from "./api-codes.ts";
import { ask, readJson } from "./connection.ts";

/** A stream as one server holds it. */
export interface Held {
  readonly server: ServerFacts;
  readonly detail: StreamDetail;
}

/** Which of these consumers the cluster's metadata lacks; by {@link nameOfGroup}. */
export type AskForgotten = (suspects: readonly Group[]) => Promise<ReadonlySet<string>>;

export const NOBODY: AskForgotten = async () => new Set();

/** Consumers of which no server that holds them knows a group: either it lost its node, or the cluster the consumer. */
export function suspectsAmong(held: readonly Held[]): readonly Group[] {
  const grouped = new Map<string, { readonly group: Group; known: boolean }>();
  for (const { server, detail } of held)
    for (const { name: consumer, cluster } of detail.consumer_detail ?? []) {
      const group = { stream: detail.name, consumer };
      const entry = grouped.get(nameOfGroup(group)) ?? { group, known: false };
      entry.known ||= server.topology !== "clustered" || cluster !== undefined;
      grouped.set(nameOfGroup(group), entry);
    }
  return [...grouped.values()].filter(({ known }) => !known).map(({ group }) => group);
}

/** Those of the servers' consumers that are forgotten, as each server that holds one tells of it. */
export function forgottenAmong(
  held: readonly Held[],
  forgotten: ReadonlySet<string>,
): readonly { readonly stream: string; readonly consumer: ForgottenConsumer }[] {
  return held.flatMap(({ server, detail: { name: stream, consumer_detail: consumers } }) =>
    (consumers ?? [])
      .filter(({ name }) => forgotten.has(nameOfGroup({ stream, consumer: name })))
      .map(({ name, config, ack_floor: floor }) => ({
        stream,
        consumer: {
          ...{ server: server.name, name, durable: config.durable_name !== undefined },
          ...{ ackFloor: floor.stream_seq, config: config as JsonObject },
        },
      })),
  );
}

const ASKED_AT_ONCE = 64;
/** The metadata answers in milliseconds; for a consumer that is in it, and dead, nobody answers at all. */
const PATIENCE = millis(2_000);

/**
 * Asks as the account, whose API answers from the metadata. Whoever can't be asked about stays what it looks
 * like, without its Raft node: that is never healthier.
 */
export function forgottenBy(
  settings: AccountConnectionSettings,
  account: AccountId,
  accountKey: string | undefined,
  running: Probe<readonly RunningAccount[]>,
): AskForgotten {
  const loaded = running.ok ? running.value.filter((entry) => entry.loaded) : [];
  if (accountKey === undefined || loaded.some(({ expired }) => expired)) return NOBODY;
  const claims = loaded[0]?.document.claims;
  return async (suspects) => {
    if (suspects.length === 0) return new Set();
    const order = { account, claims, accountKey, mayAsk: suspects.map(infoSubject) };
    const timeout = millis(Math.min(settings.timeout, PATIENCE));
    const answers = await probe(() =>
      withAccountConnection(settings, order, (connection) =>
        pMap(
          suspects,
          async (group) => ({
            name: nameOfGroup(group),
            answer: await probe(() => askOne(connection, group, timeout)),
          }),
          { concurrency: ASKED_AT_ONCE },
        ),
      ),
    );
    const found = answers.ok ? answers.value : [];
    return new Set(
      found.filter(({ answer }) => answer.ok && isNotFound(answer.value)).map(({ name }) => name),
    );
  };
}

const infoSubject = ({ stream, consumer }: Group): string => `$JS.API.CONSUMER.INFO.${stream}.${consumer}`;

async function askOne(connection: NatsConnection, group: Group, timeout: Millis): Promise<JsonObject> {
  return readJson(await ask(connection, infoSubject(group), "", timeout));
}

function isNotFound({ error }: JsonObject): boolean {
  return isJsonObject(error) && error["err_code"] === CONSUMER_NOT_FOUND;
}
