import { type Group, nameOfGroup } from "../ladder/step-down.ts";
import { explainDefect } from "../verdict/defects.ts";
import type { ForgottenConsumer, Observation, ServerFacts, StreamFacts } from "./observation.ts";

/**
 * Consumers that the cluster has forgotten. A server that starts while the account is expired reports to the meta leader
 * that it can't create its consumers. Before 2.9.15 the leader then deletes single-replica consumers from the metadata
 * (nats-server #3881). They are still complete on that server's disk (docs/recoveries.md).
 */

/** A consumer to restore. */
export interface Restoration extends Group {
  readonly consumer: string;
  readonly config: ForgottenConsumer["config"];
}

/** Which consumers can be restored where they were, and which can't, with the reason. */
export interface Restorations {
  readonly possible: readonly Restoration[];
  readonly refused: readonly { readonly name: string; readonly why: string }[];
}

/**
 * A consumer that is recreated with its configuration continues at its position if it is placed on the server that still
 * holds it. That is certain only on single-replica streams. On others it was placed on any replica and started over there
 * (tested on 2.9.10). The stream may be faulty. This comes before other remedies, because a restart of the server may
 * lose the consumer (seen on 2.9.10).
 */
export function restorations({ streams, servers }: Observation): Restorations {
  const all = (streams.ok ? streams.value : []).flatMap((stream) =>
    missedConsumers(stream).map((consumer) => ({ stream, consumer })),
  );
  const judged = all.map(({ stream, consumer }) => ({
    restoration: { stream: stream.name, consumer: consumer.name, config: consumer.config },
    why: whyNot(servers, stream, consumer),
  }));
  return {
    possible: judged.flatMap(({ restoration, why }) => (why === undefined ? [restoration] : [])),
    refused: judged.flatMap(({ restoration, why }) =>
      why === undefined ? [] : [{ name: nameOfGroup(restoration), why }],
    ),
  };
}

function whyNot(
  servers: readonly ServerFacts[],
  { replicas, peers }: StreamFacts,
  { server }: ForgottenConsumer,
): string | undefined {
  if (servers.every(({ version }) => explainDefect(version, "#3881") === undefined))
    return "no server here has a version that forgets consumers, so somebody may have deleted it";
  if (replicas === 1 && peers.length === 0) return undefined;
  return `only ${server} knows its position, but the cluster may place it on another server, where it would start over`;
}

/** Without ephemeral consumers: their clients recreate them, as they must whenever a server drops one. */
export function missedConsumers<T extends Pick<ForgottenConsumer, "durable">>({
  forgotten,
}: {
  readonly forgotten: readonly T[];
}): readonly T[] {
  return forgotten.filter((consumer) => consumer.durable);
}
