import type { StreamFacts } from "./observation.ts";

/**
 * What `after` lacks of what `before` had: streams, durable consumers, or the end of a stream.
 * A stream's last sequence only ever grows; its number of messages may shrink by its own limits, so that
 * proves nothing. Of what is in memory only the contents may go, and only with the policy's leave.
 */
export function findLosses(before: readonly StreamFacts[], after: readonly StreamFacts[]): readonly string[] {
  const now = new Map(after.map((stream) => [stream.name, stream]));
  return before.flatMap((stream) => lossesOf(stream, now.get(stream.name)));
}

function lossesOf(before: StreamFacts, after: StreamFacts | undefined): string[] {
  if (after === undefined) return [`stream ${before.name} is gone`];
  const consumers = new Set(after.consumers.map(({ name }) => name));
  const gone = before.consumers
    .filter(({ name, durable }) => durable && !consumers.has(name))
    .map(({ name }) => `consumer ${before.name} > ${name} is gone`);
  if (before.storage === "memory" || after.lastSeq >= before.lastSeq) return gone;
  return [...gone, `stream ${before.name} ends at ${after.lastSeq}, and ended at ${before.lastSeq}`];
}
