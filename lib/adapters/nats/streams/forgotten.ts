import pMap from "p-map";
import type { AccountId } from "../../../domain/claims/account.ts";
import { loaded as loadedOn } from "../../../domain/claims/claims-in-force.ts";
import { type Group, nameOfGroup } from "../../../domain/ladder/step-down.ts";
import type { ForgottenConsumer, Probe, RunningAccount, ServerFacts } from "../../../domain/observation/observation.ts";
import type { JsonObject } from "../../../domain/time/json.ts";
import { probe } from "../../../errors.ts";
import { type AccountConnectionSettings, withAccountConnections } from "../account/account-connection.ts";
import type { StreamDetail } from "../connection/answers.ts";
import { AT_ONCE } from "../connection/in-flight.ts";
import { consumerNames, consumerNamesSubject } from "../probes/lists.ts";

/** A stream on one server. */
export interface Held {
  readonly server: ServerFacts;
  readonly detail: StreamDetail;
  /** Whether the server applies flat limits to the account. */
  readonly isFlat: boolean;
}

/** Asks which of these consumers the cluster's metadata lacks; by {@link nameOfGroup}. */
export type AskForgotten = (suspects: readonly Group[]) => Promise<ReadonlySet<string>>;

export const NOBODY: AskForgotten = async () => new Set();

/** Consumers without a group on every server that holds them: either the servers lost their nodes, or the cluster the consumer. */
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

/** The forgotten consumers, as reported by each server that holds one. */
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
          server: server.name,
          name,
          durable: config.durable_name !== undefined,
          ackFloor: floor.stream_seq,
          config: config as JsonObject,
        },
      })),
  );
}

/**
 * Asks as the account, whose API lists a stream's consumers from the metadata even if they do not work. A consumer that
 * can't be looked up stays one without its Raft node, which is no healthier.
 */
export function forgottenBy(
  settings: AccountConnectionSettings,
  account: AccountId,
  accountKey: string | undefined,
  running: Probe<readonly RunningAccount[]>,
): AskForgotten {
  const loaded = loadedOn({ running });
  if (accountKey === undefined || loaded.some(({ expired }) => expired)) return NOBODY;
  const claims = loaded[0]?.document.claims;
  return async (suspects) => {
    const streams = [...new Set(suspects.map(({ stream }) => stream))];
    if (streams.length === 0) return new Set();
    const subjectsOf = (stream: string): readonly string[] => [consumerNamesSubject(stream)];
    const order = { account, claims, accountKey, items: streams, subjectsOf };
    const answer = await probe(() =>
      withAccountConnections(settings, order, (connection, share) =>
        pMap(share, (stream) => probe(() => consumerNames({ connection, timeout: settings.timeout }, stream)), {
          concurrency: AT_ONCE,
        }),
      ),
    );
    const known = new Map(streams.map((stream, index) => [stream, answer.ok ? answer.value[index] : undefined]));
    const isForgotten = ({ stream, consumer = "" }: Group): boolean => {
      const names = known.get(stream);
      return names?.ok === true && !names.value.has(consumer);
    };
    return new Set(suspects.filter(isForgotten).map(nameOfGroup));
  };
}
