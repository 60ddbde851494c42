import { storageOf } from "../limits/limit-changes.ts";
import type { ConsumerFacts, StreamFacts } from "../observation/observation.ts";
import { formatSize } from "../time/sizes.ts";
import { type Check, check, NEAR } from "./checks.ts";

/** Checks of streams and consumers, beside the findings about them. */

/** Fewer redelivered messages may be those of an application that has just restarted. */
const MANY_REDELIVERED = 10;

export function streamChecks(account: string, stream: StreamFacts): readonly Check[] {
  return [
    ...replicaChecks(account, stream),
    ...fullnessChecks(account, stream),
    ...stream.consumers.flatMap((consumer) => consumerChecks(account, stream.name, consumer)),
  ];
}

function replicaChecks(account: string, { name: stream, replicas }: StreamFacts): readonly Check[] {
  if (replicas % 2 !== 0) return [];
  return [check("stream.even_replicas", { account, stream }, `has ${replicas} replicas`, { replicas })];
}

/** A full one is a warning of the account (`stream.full`). */
function fullnessChecks(account: string, { name: stream, config, messages, bytes }: StreamFacts): readonly Check[] {
  if (config["discard"] !== "new") return [];
  const uses = [
    { limited: "max_msgs", used: messages, next: 1, show: String },
    { limited: "max_bytes", used: bytes, next: messages > 0 ? bytes / messages : 0, show: formatSize },
  ];
  return uses.flatMap(({ limited, used, next, show }) => {
    const limit = storageOf(config[limited]);
    if (limit <= 0 || used < limit * NEAR || used + next > limit) return [];
    const message = `holds ${show(used)} of its ${limited} (${show(limit)}), and then refuses messages (discard: new)`;
    return [check("stream.near_full", { account, stream }, message, { limited, used, limit })];
  });
}

function consumerChecks(
  account: string,
  stream: string,
  { name, config, deliveries }: ConsumerFacts,
): readonly Check[] {
  if (deliveries === undefined) return [];
  const about = { account, stream, consumer: name };
  const { ackPending, redelivered, waiting, bound } = deliveries;
  const to = config["deliver_subject"];
  const [mostPending, mostWaiting] = [storageOf(config["max_ack_pending"]), storageOf(config["max_waiting"])];
  const near = (used: number, limit: number): boolean => limit > 0 && used >= limit * NEAR;
  return [
    ...(near(ackPending, mostPending)
      ? [
          check("consumer.ack_pending", about, ackPendingMessage(ackPending, mostPending), {
            used: ackPending,
            limit: mostPending,
          }),
        ]
      : []),
    ...(redelivered >= MANY_REDELIVERED && redelivered * 2 >= ackPending
      ? [
          check(
            "consumer.redelivers",
            about,
            `${redelivered} of ${ackPending} unacknowledged messages were delivered before`,
            {
              redelivered,
              pending: ackPending,
            },
          ),
        ]
      : []),
    ...(near(waiting, mostWaiting)
      ? [
          check("consumer.waiting_near", about, `${waiting} of ${mostWaiting} requests wait (max_waiting)`, {
            used: waiting,
            limit: mostWaiting,
          }),
        ]
      : []),
    ...(typeof to === "string" && to !== "" && !bound
      ? [check("consumer.no_subscriber", about, `nobody subscribes to ${to}`, { deliverSubject: to })]
      : []),
  ];
}

function ackPendingMessage(used: number, limit: number): string {
  const stops = used >= limit ? ", so it delivers nothing" : "";
  return `${used} of ${limit} messages are unacknowledged (max_ack_pending)${stops}`;
}
