import { missedConsumers } from "./forgotten.ts";
import type { MemoryAsset } from "./memory.ts";
import type { ForgottenConsumer, StreamFacts } from "./observation.ts";

/**
 * What `after` lacks of what `before` had: streams, durable consumers, or the end of a stream.
 * A stream's last sequence only ever grows; its number of messages may shrink by its own limits, so that
 * proves nothing. Of what is in memory only the contents may go, and only with the policy's leave.
 */
export function findLosses(before: readonly StreamFacts[], after: readonly StreamFacts[]): readonly string[] {
  const now = new Map(after.map((stream) => [stream.name, stream]));
  return before.flatMap((stream) => lossesOf(stream, now.get(stream.name)));
}

/**
 * Durable consumers of memory streams that were there when the account was last healthy, and are no more though their
 * stream is: the server that restarted took them, and no other knows of them.
 */
export function findVanished(seen: readonly MemoryAsset[], after: readonly StreamFacts[]): readonly string[] {
  return seen.flatMap(({ stream, consumers }) => {
    const now = after.find(({ name }) => name === stream);
    const names = consumers.map((config) => String(config["durable_name"]));
    const gone = names.filter((wanted) => now?.consumers.every(({ name }) => name !== wanted) ?? false);
    return gone.map((name) => `consumer ${stream} > ${name}, which was held in memory, is gone`);
  });
}

function lossesOf(before: StreamFacts, after: StreamFacts | undefined): string[] {
  if (after === undefined) return [`stream ${before.name} is gone`];
  const consumers = new Set([...after.consumers, ...after.forgotten].map(({ name }) => name));
  const gone = [
    ...before.consumers
      .filter(({ name, durable }) => durable && !consumers.has(name))
      .map(({ name }) => `consumer ${before.name} > ${name} is gone`),
    ...missedConsumers(before).flatMap((consumer) => lossOf(before.name, consumer, after)),
  ];
  if (before.storage === "memory" || after.lastSeq >= before.lastSeq) return gone;
  return [...gone, `stream ${before.name} ends at ${after.lastSeq}, and ended at ${before.lastSeq}`];
}

/** A server holds a forgotten consumer until it is made anew there. */
function lossOf(
  stream: string,
  { name, ackFloor }: ForgottenConsumer,
  { consumers, forgotten }: StreamFacts,
): string[] {
  if (forgotten.some((held) => held.name === name)) return [];
  const now = consumers.find((consumer) => consumer.name === name);
  if (now !== undefined && now.ackFloor >= ackFloor) return [];
  const what = now === undefined ? "is gone" : "starts over";
  return [`consumer ${stream} > ${name} ${what}, and was at message ${ackFloor}`];
}
