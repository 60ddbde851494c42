import type { AccountId } from "../../../lib/domain/claims/account.ts";
import { openReconfigurations, openRestart, openToggle } from "../../../lib/domain/journal/open-remedies.ts";
import type { Json } from "../../../lib/domain/time/json.ts";
import { toSeconds } from "../../../lib/domain/time/time.ts";
import type { VirtualAccount } from "./claims.ts";
import { APP, type VirtualWorld } from "./world.ts";

/** What happens to an account in the field, in virtual time: it is used, it expires, it is renewed, servers restart. */

/** What an account has: a stream of each kind that remedies distinguish. */
export interface FillOptions {
  readonly replicas?: number;
  /** Also a memory stream with a durable consumer. */
  readonly memory?: boolean;
  /** Also a KV bucket, which is read by direct gets. */
  readonly bucket?: boolean;
}

/** Creates streams and consumers, and lets them age until faults count. */
export function fill(world: VirtualWorld, options: FillOptions = {}, account: VirtualAccount = APP): void {
  const { replicas = 1, memory = false, bucket = false } = options;
  const { machines } = world;
  const orders = machines.addStream(account.id, {
    name: "ORDERS",
    subjects: ["orders.*"],
    num_replicas: replicas,
  });
  orders.publish(100);
  orders.addConsumer({ durable_name: "shipping", ack_policy: "explicit" }).ackFloor = 3;
  orders.addConsumer({ durable_name: "audit", ack_policy: "none", deliver_subject: "audit.in" });
  const jobs = { name: "JOBS", subjects: ["jobs.>"], retention: "workqueue", num_replicas: replicas };
  machines.addStream(account.id, jobs).publish(1);
  if (memory) {
    const cache = machines.addStream(account.id, { name: "CACHE", subjects: ["cache.>"], storage: "memory" });
    cache.publish(1);
    cache.addConsumer({ durable_name: "reader", ack_policy: "explicit" });
  }
  if (bucket) {
    const kv = { name: "KV_B", subjects: ["$KV.B.>"], allow_direct: true, num_replicas: replicas };
    machines.addStream(account.id, kv).publish(5);
  }
  world.advance(3_600_000);
}

/** Lets the account expire on every server. */
export function expire(world: VirtualWorld, account: VirtualAccount = APP): void {
  world.machines.force(world.issue(account, { exp: toSeconds(world.now()) + 2 }));
  world.advance(3_000);
}

/** Renews it by hand: signed and pushed again. On an affected version JetStream stays dead. */
export function renewByHand(world: VirtualWorld, account: VirtualAccount = APP): void {
  world.machines.force(world.issue(account));
  world.advance(2_000);
}

/** Every server goes away at once, and returns. */
export function restartAll({ machines }: VirtualWorld): void {
  for (const { name } of machines.servers) machines.kill(name);
  for (const { name } of machines.servers) machines.boot(name);
}

/** Every server restarts, one after the other. */
export function restartEach(world: VirtualWorld): void {
  for (const { name } of world.machines.servers) {
    world.machines.restart(name);
    world.advance(8_000);
  }
}

/** Every server restarts while the account is expired, one after another, and then it is renewed. */
export function restartWhileExpired(
  world: VirtualWorld,
  servers: readonly string[] = world.machines.servers.map(({ name }) => name),
): void {
  expire(world);
  for (const name of servers) {
    world.machines.restart(name);
    world.advance(8_000);
  }
  renewByHand(world);
}

/** Everything that must be the same before and after: messages, positions, configurations, ages. */
export function snapshot({ machines }: VirtualWorld, account: AccountId = APP.id): Record<string, Json> {
  const streams = [...machines.streamsOf(account).values()].map((stream) => {
    const { name, config, created, messages, firstSeq, lastSeq, consumers } = stream;
    const positions = [...consumers.values()].map((one) => [one.name, { config: one.config, at: one.ackFloor }]);
    const all = { config, created, messages, firstSeq, lastSeq, consumers: Object.fromEntries(positions) };
    return [name, all] as const;
  });
  return Object.fromEntries(streams) as Record<string, Json>;
}

/** What no job may leave behind, whatever happened to it: panics, leases, listeners, unfinished remedies. */
export function leftBehind({ machines, journal, clock }: VirtualWorld): readonly string[] {
  const { entries, leases } = journal;
  const isProved = () => true;
  const held = [...leases].filter(([, { until }]) => until > clock.now()).map(([key]) => `lease ${key}`);
  const accounts = [...new Set(entries.map(({ account }) => account))];
  const open = accounts.flatMap((account) => {
    const own = entries.filter((entry) => entry.account === account);
    const begun = own.filter(({ kind }) => kind === "rung.started").length;
    const ended = own.filter(({ kind }) => kind === "rung.finished").length;
    return [
      ...(openToggle(own, isProved) === undefined ? [] : ["an open toggle"]),
      ...openReconfigurations(own, isProved).map(({ stream }) => `the configuration of ${stream}`),
      ...(account === "-" && openRestart(own, isProved) !== undefined ? ["an open restart"] : []),
      ...(begun > ended ? [`${begun - ended} rungs without an end`] : []),
    ];
  });
  const panics = machines.panics.map((server) => `a panic of ${server}`);
  return [...panics, ...held, ...open, ...(machines.listening > 0 ? ["a listener to deletions"] : [])];
}
