import type { AccountId, Expectations } from "../../../lib/domain/claims/account.ts";
import { loaded as loadedOn } from "../../../lib/domain/claims/claims-in-force.ts";
import { connectionRefusal } from "../../../lib/domain/limits/connection-use.ts";
import { enablesJetStream, limitsOf } from "../../../lib/domain/limits/jetstream-limits.ts";
import { storageOf, tiersOf } from "../../../lib/domain/limits/limit-changes.ts";
import type { LimitsRoom } from "../../../lib/domain/limits/server-use.ts";
import type { MetaGroup } from "../../../lib/domain/observation/meta-group.ts";
import type {
  AccountView,
  AccountViewProbe,
  DomainView,
  Probe,
  RunningAccount,
  StreamFacts,
  Unheld,
} from "../../../lib/domain/observation/observation.ts";
import type { JsonObject } from "../../../lib/domain/time/json.ts";
import { keyOfSeed } from "./keys.ts";
import type { Link } from "./link.ts";
import type { Machines } from "./machines.ts";
import type { VirtualStream } from "./stream.ts";

/** What a virtual cluster reports to the account itself. */

/** A stream that does not answer is asked twice; milliseconds. */
const SILENCE = 4_000;

export interface Asked {
  readonly account: AccountId;
  readonly accountKey: string | undefined;
  readonly running: Probe<readonly RunningAccount[]>;
  readonly streams: Probe<readonly StreamFacts[]>;
  readonly meta: Probe<MetaGroup | undefined>;
  readonly expected: Expectations | undefined;
}

export async function accountView(machines: Machines, link: Link, asked: Asked): Promise<AccountViewProbe> {
  const { account, accountKey, running, streams, expected } = asked;
  if (accountKey === undefined)
    return { ok: "not-asked", why: "no signingKey is configured for the account", noKey: true };
  const door = connectionRefusal(running);
  if (door !== undefined) return { ok: "not-asked", why: door.message };
  const loaded = loadedOn({ running });
  if (loaded.some(({ expired }) => expired))
    return { ok: "not-asked", why: "the account has expired, so the servers refuse its users" };
  const refused = refusedUser(loaded[0]?.document.claims.nats, account, accountKey);
  if (refused !== undefined) return { ok: false, code: "nats.unauthorized", message: refused };
  const claims = loaded[0]?.document.claims;
  const domains = (expected?.domains ?? []).map(
    (domain): DomainView => ({ domain, jetstream: "silent", message: "503", origins: [] }),
  );
  const none = { info: { streams: 0, consumers: 0, limits: {} }, streamNames: [], failing: [], domains };
  const isOn = loaded.some(({ jetstream }) => jetstream);
  if (!isOn && claims !== undefined && enablesJetStream(claims)) {
    await link.wait(SILENCE);
    return { ok: false, code: "nats.timeout", message: "$JS.API.INFO: no answer" };
  }
  if (!isOn) return { ok: true, value: { ...none, jetstream: "disabled" } };
  const assigned = [...machines.streamsOf(account).values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const failing = assigned.flatMap((stream) => failureOf(machines, stream));
  if (failing.some(({ notFound }) => !notFound)) await link.wait(SILENCE);
  const limits = claims === undefined ? {} : roomOf(limitsOf(claims), assigned);
  const consumers = assigned.reduce((sum, stream) => sum + stream.consumers.size, 0);
  const value: AccountView = {
    jetstream: "enabled",
    info: { streams: assigned.length, consumers, limits },
    streamNames: assigned.map(({ name }) => name),
    failing,
    ...(streams.ok ? { unheld: { ok: true, value: unheldOf(machines, assigned, streams.value) } as const } : {}),
    domains,
  };
  return { ok: true, value };
}

/** Why servers refuse a user that this key signed; undefined if they accept it. */
export function refusedUser(nats: JsonObject | undefined, account: AccountId, accountKey: string): string | undefined {
  const keys = nats?.["signing_keys"];
  const key = keyOfSeed(accountKey);
  const isKnown = key === account || (Array.isArray(keys) && keys.map(String).includes(key));
  return isKnown ? undefined : "the server refused the credentials: Authorization Violation";
}

/** Without a leader nobody answers; a single-replica stream without its node does. */
function failureOf(machines: Machines, stream: VirtualStream): AccountView["failing"][number][] {
  const { name, group } = stream;
  const up = group.members.filter((member) => machines.server(member).isUp);
  const holding = up.filter((member) => group.holders.has(member));
  if (up.length > 0 && holding.length === 0) return [{ stream: name, notFound: true, message: "stream not found" }];
  const answers = group.isLed || (stream.replicas === 1 && holding.length > 0);
  if (answers || up.length === 0) return [];
  return [{ stream: name, notFound: false, message: "timeout" }];
}

/** What is in the cluster's metadata, but on no server that answers. */
function unheldOf(
  machines: Machines,
  assigned: readonly VirtualStream[],
  told: readonly StreamFacts[],
): readonly Unheld[] {
  const seen = new Map(told.map((stream) => [stream.name, stream]));
  const isGivenUp = ({ group }: VirtualStream): boolean =>
    group.members.every((member) => {
      const { isUp, since } = machines.server(member);
      return !isUp && machines.timeline.now() - since > 60_000;
    });
  return assigned.flatMap((stream): Unheld[] => {
    const { name, group, replicas, consumers } = stream;
    const holders = isGivenUp(stream) ? [...group.members].sort() : [];
    const known = seen.get(name);
    // The meta leader reports more only about what it has given up.
    if (known === undefined) return [{ stream: name, holders, ...(holders.length > 0 ? { replicas } : {}) }];
    const names = new Set([...known.consumers, ...known.forgotten].map((consumer) => consumer.name));
    return [...consumers.values()]
      .filter((consumer) => !names.has(consumer.name))
      .map(({ name: consumer, durable }) => ({ stream: name, consumer, holders: [], durable }));
  });
}

/** The limits by tier, and the usage that counts: each replica. */
function roomOf(limits: JsonObject, streams: readonly VirtualStream[]): { readonly [tier: string]: LimitsRoom } {
  const tiers = tiersOf(limits);
  const places = Object.keys(tiers).length === 0 ? { flat: limits } : tiers;
  const entries = Object.entries(places).map(([tier, own]) => [tier, roomIn(own, streamsIn(streams, tier))] as const);
  const outside = streams.filter(({ tier }) => tier === undefined || places[tier] === undefined);
  const none = { mem_storage: 0, disk_storage: 0 };
  const rest = outside.length === 0 || places["flat"] !== undefined ? [] : [["", roomIn(none, outside)] as const];
  return Object.fromEntries([...entries, ...rest]);
}

const streamsIn = (streams: readonly VirtualStream[], tier: string): readonly VirtualStream[] =>
  tier === "flat" ? streams : streams.filter((stream) => stream.tier === tier);

function roomIn(limits: JsonObject, streams: readonly VirtualStream[]): LimitsRoom {
  const used = (storage: "file" | "memory"): number =>
    streams
      .filter((stream) => stream.storage === storage)
      .reduce((sum, { bytes, replicas }) => sum + bytes * replicas, 0);
  return {
    streams: streams.length,
    memory: { used: used("memory"), limit: storageOf(limits["mem_storage"]) },
    file: { used: used("file"), limit: storageOf(limits["disk_storage"]) },
  };
}
