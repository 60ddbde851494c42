import type { AccountClaims } from "../claims/claims.ts";
import { loaded } from "../claims/claims-in-force.ts";
import type { Observation, StreamFacts } from "../observation/observation.ts";
import type { JsonObject } from "../time/json.ts";
import { formatSize } from "../time/sizes.ts";
import { limitsOf } from "./jetstream-limits.ts";
import { limitsAt, storageOf, tiersOf } from "./limit-changes.ts";
import { type Counted, limitProblems } from "./limit-usage.ts";

/**
 * Whether what exists could be made anew under the account's limits. Where limits were lowered, streams and consumers
 * beyond them go on as they are; but a server that makes them anew (by a toggle, at its start, as a new replica) goes by
 * the limits, and what exceeds them is gone: consumers for good, streams until the limits are raised and the server
 * starts again (ran: 2.9.10, 2.10.27, single and clustered).
 */

/** A limit that is too low for what exists. */
export interface Misfit {
  readonly message: string;
  /** What raises it, as options of `relight jetstream limits ACCOUNT`. */
  readonly options: string;
}

/** The limits that the streams and their consumers exceed; empty if all of it could be made anew. */
export function misfits(claims: AccountClaims, streams: readonly Counted[]): readonly Misfit[] {
  const exceeded = limitProblems(limitsOf(claims), streams).filter(
    ({ kind }) => kind === "over" || kind === "no-tier",
  );
  return [...exceeded, ...reservations(claims, streams)];
}

/** Servers reserve the `max_bytes` of streams, apart from the bytes in use, and make no stream that has no room for its own. */
function reservations(claims: AccountClaims, streams: readonly Counted[]): readonly Misfit[] {
  const tiers = Object.keys(tiersOf(limitsOf(claims)));
  const places = tiers.length === 0 ? [undefined] : tiers;
  return places.flatMap((tier) => {
    const here = streams.filter(({ replicas }) => tier === undefined || tier === `R${replicas}`);
    const limits = limitsAt(claims, tier);
    return [overReserved(limits, here, tier, "file"), overReserved(limits, here, tier, "memory")].flat();
  });
}

const STORAGES = {
  file: { claim: "disk_storage", option: "--storage", where: "on disk" },
  memory: { claim: "mem_storage", option: "--memory", where: "in memory" },
} as const;

function overReserved(
  limits: JsonObject,
  streams: readonly Counted[],
  tier: string | undefined,
  storage: StreamFacts["storage"],
): readonly Misfit[] {
  const { claim, option, where } = STORAGES[storage];
  const limit = storageOf(limits[claim]);
  // Flat limits count every replica, those of a tier a stream once.
  const own = streams.filter((stream) => stream.storage === storage);
  const reserved = own
    .map(({ config, replicas }) => Math.max(0, storageOf(config["max_bytes"])) * (tier ? 1 : replicas))
    .reduce((sum, bytes) => sum + bytes, 0);
  // Where nothing may be stored servers make not even an empty stream (ran on 2.10.27).
  const isNoneAllowed = limit === 0 && own.length > 0 && own.every(({ bytes }) => bytes === 0);
  if (limit < 0 || (reserved <= limit && !isNoneAllowed)) return [];
  const of = tier === undefined ? claim : `${claim} of tier ${tier}`;
  const message =
    reserved === 0
      ? `${of}: the number of streams ${where} is ${own.length}, and its limit is 0: none may be`
      : `${of}: max_bytes of streams ${where} reserve ${formatSize(reserved)}, and its limit is ${formatSize(limit)}`;
  const options = `${option} ${Math.max(1, Math.ceil(reserved / 2 ** 20))}MiB${tier === undefined ? "" : ` --tier ${tier}`}`;
  return [{ message, options }];
}

/**
 * Why a remedy that makes things anew must not begin: what exists, or what exists at one of its steps, exceeds the
 * limits; undefined if it fits them. What is unknown is an objection, too.
 * @param steps what exists at each step; by default what exists now.
 */
export function limitObjection(
  observation: Observation,
  steps: (streams: readonly StreamFacts[]) => readonly (readonly Counted[])[] = (streams) => [streams],
): string | undefined {
  const { streams } = observation;
  if (!streams.ok)
    return `what exists could not be read (${streams.message}), so whether it fits the limits is unknown`;
  if (streams.value.length === 0) return undefined;
  const claims = claimsOn(observation);
  if (claims.length === 0)
    return "no server tells the account's limits, so whether what exists fits them is unknown";
  for (const one of claims)
    for (const step of steps(streams.value)) {
      const found = misfits(one, step);
      if (found.length > 0) return describeMisfits(found, one);
    }
  return undefined;
}

/** The limits that servers go by are those of the claims that they run. */
export function claimsOn(observation: Observation): readonly AccountClaims[] {
  const documents = loaded(observation).map(({ document }) => document);
  return [...new Map(documents.map(({ claims }) => [claims.jti, claims])).values()];
}

/** What does not fit, and how to go on. */
export function describeMisfits(found: readonly Misfit[], claims: AccountClaims): string {
  const what = found.map(({ message }) => message).join("; ");
  return `what exceeds the account's limits would be lost: ${what}; ${raising(found, claims)}`;
}

/** The commands that raise the limits, as they are to be typed, and what comes after. */
export function raising(found: readonly Pick<Misfit, "options">[], claims: AccountClaims): string {
  return `raise it (${raisingCommands(found, claims)}), heal, and lower it again when less is in use`;
}

/** Just the commands. */
export function raisingCommands(found: readonly Pick<Misfit, "options">[], claims: AccountClaims): string {
  const [first, ...others] = [...byTier(found).values()];
  const commands = [first ?? "", ...others].map(
    (options) => `\`relight jetstream limits ${nameForShell(claims)} ${options} --yes\``,
  );
  return commands.join(", then ");
}

/** One command changes the limits of one place; of one limit that is named twice, the last counts. */
function byTier(found: readonly Pick<Misfit, "options">[]): ReadonlyMap<string, string> {
  const places = new Map<string, string>();
  for (const { options } of found) {
    const tier = / ?--tier \S+/.exec(options)?.[0].trim() ?? "";
    const own = options.replace(/ ?--tier \S+/, "").trim();
    const before = places.get(tier);
    places.set(tier, [before ?? tier, own].filter(Boolean).join(" "));
  }
  return places;
}

/** An id where the name would have to be quoted. */
export const nameForShell = ({ name, sub }: AccountClaims): string =>
  name && /^[\w.-]+$/.test(name) ? name : sub;
