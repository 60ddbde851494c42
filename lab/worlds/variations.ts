import type { Chance } from "./chance.ts";
import type { ConsumerPlan, StreamPlan } from "./plan.ts";

/** Configuration that most streams and consumers lack, and that a remedy must keep, or must know of. */

const SECOND = 1_000_000_000;

type Variation<T> = readonly [least: string, change: Partial<T>];

const STREAMS: readonly Variation<StreamPlan>[] = [
  ["2.9.0", { more: { max_bytes: 1_000_000 } }],
  ["2.9.0", { more: { max_msgs_per_subject: 5 } }],
  ["2.9.0", { more: { max_msgs_per_subject: 5, discard: "new", discard_new_per_subject: true } }],
  ["2.9.0", { more: { max_age: 3_600 * SECOND, duplicate_window: SECOND } }],
  ["2.9.0", { more: { deny_delete: true } }],
  ["2.9.0", { more: { allow_rollup_hdrs: true, max_msg_size: 10_000 } }],
  ["2.9.0", { more: { republish: { src: ">", dest: "republished.>" } } }],
  ["2.9.0", { more: { description: "a line\nand “another” <&>\u0007 \u{1f680}" } }],
  ["2.9.0", { more: { max_consumers: 4 } }],
  ["2.9.0", { isNoAck: true }],
  ["2.9.0", { isSealed: true }],
  ["2.10.0", { more: { compression: "s2" } }],
  ["2.10.0", { more: { first_seq: 1_000 } }],
  ["2.10.0", { more: { metadata: { owner: "Größe <&>", "": "empty" } } }],
  ["2.10.0", { more: { consumer_limits: { max_ack_pending: 1_000 } } }],
  ["2.11.0", { more: { allow_msg_ttl: true, subject_delete_marker_ttl: 60 * SECOND } }],
  ["2.12.0", { more: { allow_atomic: true } }],
];

const CONSUMERS: readonly Variation<ConsumerPlan>[] = [
  ["2.9.0", { more: { max_deliver: 3, backoff: [SECOND, 2 * SECOND] } }],
  ["2.9.0", { more: { headers_only: true } }],
  ["2.9.0", { more: { deliver_policy: "new" } }],
  ["2.9.0", { more: { deliver_policy: "last" } }],
  ["2.9.0", { more: { description: "a line\nand “another” <&>", sample_freq: "100" } }],
  ["2.9.0", { more: { ack_wait: 2 * SECOND } }],
  ["2.10.0", { more: { metadata: { owner: "Größe <&>", "": "empty" } } }],
  ["2.11.0", { isPaused: true }],
];

/** Only pull consumers have it, or only push consumers. */
const PULLED: readonly Variation<ConsumerPlan>[] = [
  ["2.9.0", { more: { max_waiting: 5, max_batch: 10 } }],
  ["2.9.0", { more: { max_ack_pending: 1 } }],
];
const PUSHED: readonly Variation<ConsumerPlan>[] = [
  ["2.9.0", { more: { flow_control: true, idle_heartbeat: 5 * SECOND } }],
  ["2.9.0", { more: { rate_limit_bps: 1_000_000 } }],
];

/** Gives some streams and consumers such configuration, as far as this version has it. */
export function varied(streams: readonly StreamPlan[], chance: Chance, version: string): readonly StreamPlan[] {
  return streams.map((stream) => {
    const consumers = stream.consumers.map((consumer) => {
      // Work queues deliver everything, and queue groups have no flow control.
      if (stream.retention === "workqueue" || !chance.happens(0.35)) return consumer;
      const kind = consumer.kind === "pull" ? PULLED : consumer.queue === undefined ? PUSHED : [];
      return { ...consumer, ...chosen([...CONSUMERS, ...kind], chance, version) };
    });
    const isPlain = stream.subjects.length > 0 && stream.maxMessages === undefined && stream.retention === "limits";
    if (!isPlain || !chance.happens(0.4)) return { ...stream, consumers };
    return { ...stream, consumers, ...chosen(STREAMS, chance, version) };
  });
}

function chosen<T>(variations: readonly Variation<T>[], chance: Chance, version: string): Partial<T> {
  return chance.pick(variations.filter(([least]) => compareVersions(least, version) <= 0))[1];
}

/** Negative if the first version is older. */
export function compareVersions(one: string, other: string): number {
  const [first, second] = [one, other].map((version) => version.split(".").map(Number));
  const place = (first ?? []).findIndex((part, index) => part !== second?.[index]);
  return place < 0 ? 0 : (first?.[place] ?? 0) - (second?.[place] ?? 0);
}
