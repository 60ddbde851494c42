import type { Disagreement } from "./compare.ts";
import { CROSSED, type Damage, remaining, type StreamPlan, type WorldPlan } from "./plan.ts";

/** Every world that is simpler by one thing, those that leave most out first. */
export function simpler(plan: WorldPlan): readonly WorldPlan[] {
  return [
    ...(plan.churn.makers + plan.churn.publishers > 0 ? [{ ...plan, churn: { makers: 0, publishers: 0 } }] : []),
    ...(plan.fakes > 0 ? [{ ...plan, fakes: 0 }] : []),
    ...(plan.topology === "single" ? [] : [onOneServer(plan)]),
    ...(plan.buckets.length > 1 ? [{ ...plan, buckets: [] }] : []),
    ...plan.buckets.map((bucket) => ({ ...plan, buckets: plan.buckets.filter((one) => one !== bucket) })),
    ...(plan.crossing === "none" || isUsed({ ...plan, crossing: "none" }, CROSSED[plan.crossing].stream)
      ? []
      : [withoutCrossing(plan)]),
    ...plan.streams.filter(({ name }) => !isUsed(plan, name)).map(({ name }) => withoutStream(plan, name)),
    ...plan.damages.map((damage) => ({ ...plan, damages: plan.damages.filter((one) => one !== damage) })),
    ...plan.streams.flatMap((stream) =>
      stream.consumers
        .filter(({ name }) => !isDamaged(plan.damages, stream.name, name))
        .map((consumer) => changed(plan, stream, { consumers: stream.consumers.filter((one) => one !== consumer) })),
    ),
    ...plan.streams
      .filter(({ more, isNoAck, isSealed }) => more !== undefined || isNoAck || isSealed)
      .map((stream) => {
        const { more: _, isNoAck: __, isSealed: ___, ...plain } = stream;
        return { ...plan, streams: plan.streams.map((one) => (one === stream ? plain : one)) };
      }),
    ...plan.streams
      .filter(({ consumers }) => consumers.some(({ more, isPaused }) => more !== undefined || isPaused))
      .map((stream) => {
        const consumers = stream.consumers.map(({ more: _, isPaused: __, ...plain }) => plain);
        return changed(plan, stream, { consumers });
      }),
    ...(plan.limits.kind === "unlimited" ? [] : [{ ...plan, limits: { kind: "unlimited" as const } }]),
    ...(plan.canRestart ? [{ ...plan, canRestart: false }] : []),
    ...plan.streams.filter(({ messages }) => messages > 3).map((stream) => changed(plan, stream, { messages: 3 })),
  ];
}

const isCopyOf = ({ mirrorOf, sourcesOf }: StreamPlan, name: string): boolean =>
  mirrorOf === name || (sourcesOf?.includes(name) ?? false);

const isDamaged = (damages: readonly Damage[], stream: string, consumer: string): boolean =>
  damages.some((damage) => damage.do === "delete-consumer" && damage.stream === stream && damage.consumer === consumer);

/** Whether something else in the plan needs the stream. */
const isUsed = ({ streams, damages, crossing }: WorldPlan, name: string): boolean =>
  streams.some((one) => isCopyOf(one, name)) ||
  damages.some((damage) => "stream" in damage && damage.stream === name) ||
  (crossing !== "none" && CROSSED[crossing].stream === name);

const withoutStream = (plan: WorldPlan, name: string): WorldPlan => ({
  ...plan,
  streams: plan.streams.filter((stream) => stream.name !== name),
});

const withoutCrossing = (plan: WorldPlan): WorldPlan => ({
  ...plan,
  crossing: "none",
  streams: plan.streams.filter(({ name }) => plan.crossing === "none" || name !== CROSSED[plan.crossing].stream),
});

const changed = (plan: WorldPlan, stream: StreamPlan, change: Partial<StreamPlan>): WorldPlan => ({
  ...plan,
  streams: plan.streams.map((one) => (one === stream ? { ...one, ...change } : one)),
});

/** The same on one server; what needs several is left out. */
function onOneServer(plan: WorldPlan): WorldPlan {
  const damages = plan.damages.flatMap((damage): readonly Damage[] => {
    if (damage.do === "restart" || damage.do === "restart-while-expired") return [{ ...damage, servers: [0] }];
    return ["stop", "peer-remove", "step-down", "meta-step-down"].includes(damage.do) ? [] : [damage];
  });
  const alone = ({ replicas: _, ...consumer }: StreamPlan["consumers"][number]) => consumer;
  return {
    ...plan,
    topology: "single",
    damages,
    streams: plan.streams
      .filter(({ edgeOf }) => edgeOf === undefined)
      .map((stream) => ({ ...stream, replicas: 1, consumers: stream.consumers.map(alone) })),
    buckets: plan.buckets.map((bucket) => ({ ...bucket, replicas: 1 })),
  };
}

/**
 * Leaves out one thing after another for as long as the world still `disagrees` in the same way, and returns the smallest
 * such world. Tries at most `most` worlds.
 */
export async function reduce(
  plan: WorldPlan,
  disagrees: (plan: WorldPlan) => Promise<boolean>,
  most = 20,
): Promise<WorldPlan> {
  let smallest = plan;
  let left = most;
  let candidates = [...simpler(smallest)];
  while (left > 0) {
    const candidate = candidates.shift();
    if (candidate === undefined) break;
    left--;
    if (!(await disagrees(candidate))) continue;
    smallest = candidate;
    candidates = [...simpler(smallest)];
  }
  return smallest;
}

/** Whether one of these is of the same kind, found at the same point. */
export const isAlike = (wanted: readonly Disagreement[], found: readonly Disagreement[]): boolean =>
  found.some((one) => wanted.some(({ kind, at }) => one.kind === kind && one.at === at));

/** One line about a world: what it is and what is done to it. */
export function describe(plan: WorldPlan): string {
  const streams = remaining(plan).map(
    ({ name, replicas, storage, retention, consumers }) =>
      `${name.slice(0, 12)} R${replicas} ${storage} ${retention}${consumers.length > 0 ? ` +${consumers.length}` : ""}`,
  );
  const buckets = plan.buckets.map(({ kind, replicas }) => `${kind} R${replicas}`);
  const damages = plan.damages.map(({ do: what }) => what).join(", ") || "no damage";
  return `${plan.version} ${plan.topology}: ${damages}; ${[...streams, ...buckets].join(", ") || "no streams"}`;
}
