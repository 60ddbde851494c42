import { type Group, nameOfGroup } from "../ladder/step-down.ts";
import { explainDefect } from "../verdict/defects.ts";
import type { ForgottenConsumer, Observation, ServerFacts, StreamFacts } from "./observation.ts";

/**
 * Consumers that the cluster has forgotten. A server that starts while the account is expired tells the meta leader
 * that it can't make its consumers, and before 2.9.15 the leader takes that for the end of a creation: it deletes those
 * of one replica from the metadata (nats-server #3881). All of each is still on that server's disk (docs/recoveries.md).
 */

/** A consumer as it is to be again. */
export interface Restoration extends Group {
  readonly consumer: string;
  readonly config: ForgottenConsumer["config"];
}

/** What of it can be made anew where it was, and what can't, with the reason. */
export interface Restorations {
  readonly possible: readonly Restoration[];
  readonly refused: readonly { readonly name: string; readonly why: string }[];
}

/**
 * Made anew with its configuration, a consumer goes on at its position if it comes to the server that still holds it:
 * certain only where that is the one server of its stream. On a stream with replicas it went to any of them, and
 * started over on the others (ran: 2.9.10). The stream need not be well for it. Whatever else is to be done comes later:
 * a restart of that server may take what it holds (seen: 2.9.10).
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
    return "no server here is of a version that forgets consumers, so somebody may have deleted it";
  if (replicas === 1 && peers.length === 0) return undefined;
  return `only ${server} knows its position, and the cluster may place it on another server, where it would start over`;
}

/**
 * Those that somebody misses. An ephemeral one nobody does: whoever used it finds it gone and makes another, as it must
 * whenever a server drops one.
 */
export function missedConsumers<T extends Pick<ForgottenConsumer, "durable">>({
  forgotten,
}: {
  readonly forgotten: readonly T[];
}): readonly T[] {
  return forgotten.filter((consumer) => consumer.durable);
}
