import type { AccountClaims } from "../claims/claims.ts";
import { loaded } from "../claims/claims-in-force.ts";
import type { Observation, StreamFacts } from "../observation/observation.ts";
import type { JsonObject } from "../time/json.ts";
import { formatSize } from "../time/sizes.ts";
import { limitsOf } from "./jetstream-limits.ts";
import { limitsAt, storageOf, tiersOf } from "./limit-changes.ts";
import { type Counted, limitProblems } from "./limit-usage.ts";

/**
 * Whether servers could recreate the existing streams and consumers under the account's limits. After limits are lowered,
 * streams and consumers continue beyond them. But a server that recreates them (by a toggle, at its start, as a new
 * replica) applies the limits: excess consumers are lost for good, and excess streams until the limits are raised and
 * the server restarts (tested on 2.9.10, 2.10.27, standalone and clustered).
 */

/** A limit below current usage. */
export interface ExceededLimit {
  readonly message: string;
  /** What raises it, as options of `relight jetstream limits ACCOUNT`. */
  readonly options: string;
}

/** The limits that the streams and their consumers exceed; empty if all could be recreated. */
export function exceededLimits(claims: AccountClaims, streams: readonly Counted[]): readonly ExceededLimit[] {
  const exceeded = limitProblems(limitsOf(claims), streams).filter(({ kind }) => kind === "over" || kind === "no-tier");
  return [...exceeded, ...reservations(claims, streams)];
}

/** Servers reserve each stream's `max_bytes`, whatever its usage, and create no stream that cannot reserve its own. */
function reservations(claims: AccountClaims, streams: readonly Counted[]): readonly ExceededLimit[] {
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
): readonly ExceededLimit[] {
  const { claim, option, where } = STORAGES[storage];
  const limit = storageOf(limits[claim]);
  // Flat limits count every replica; tier limits count each stream once.
  const own = streams.filter((stream) => stream.storage === storage);
  const reserved = own
    .map(({ config, replicas }) => Math.max(0, storageOf(config["max_bytes"])) * (tier ? 1 : replicas))
    .reduce((sum, bytes) => sum + bytes, 0);
  // With a limit of 0 servers do not even create an empty stream (tested on 2.10.27).
  const isNoneAllowed = limit === 0 && own.length > 0 && own.every(({ bytes }) => bytes === 0);
  if (limit < 0 || (reserved <= limit && !isNoneAllowed)) return [];
  const of = tier === undefined ? claim : `${claim} of tier ${tier}`;
  const message =
    reserved === 0
      ? `${of}: the number of streams ${where} is ${own.length}, but the limit is 0`
      : `${of}: max_bytes of streams ${where} reserve ${formatSize(reserved)}, but the limit is ${formatSize(limit)}`;
  const options = `${option} ${Math.max(1, Math.ceil(reserved / 2 ** 20))}MiB${tier === undefined ? "" : ` --tier ${tier}`}`;
  return [{ message, options }];
}

/**
 * Why a remedy that recreates streams must not begin: what exists, at least at one of its steps, exceeds the limits or is
 * unknown. Undefined if everything fits.
 * @param steps what exists at each step; by default what exists now.
 */
export function limitObjection(
  observation: Observation,
  steps: (streams: readonly StreamFacts[]) => readonly (readonly Counted[])[] = (streams) => [streams],
): string | undefined {
  const { streams } = observation;
  if (!streams.ok)
    return `it is unknown whether the streams fit the limits, because they could not be read (${streams.message})`;
  if (streams.value.length === 0) return undefined;
  const claims = claimsOn(observation);
  if (claims.length === 0)
    return "it is unknown whether the streams fit the account's limits, because no server reports the limits";
  for (const one of claims)
    for (const step of steps(streams.value)) {
      const found = exceededLimits(one, step);
      if (found.length > 0) return describeExceeded(found, one);
    }
  return undefined;
}

/** The claims that servers run, whose limits they apply. */
export function claimsOn(observation: Observation): readonly AccountClaims[] {
  const documents = loaded(observation).map(({ document }) => document);
  return [...new Map(documents.map(({ claims }) => [claims.jti, claims])).values()];
}

/** What does not fit, and what to do. */
export function describeExceeded(found: readonly ExceededLimit[], claims: AccountClaims): string {
  const what = found.map(({ message }) => message).join("; ");
  return `everything beyond the account's limits would be lost: ${what}; ${raising(found, claims)}`;
}

/** The commands that raise the limits, as a person types them, and what to do afterwards. */
export function raising(found: readonly Pick<ExceededLimit, "options">[], claims: AccountClaims): string {
  return `raise it (${raisingCommands(found, claims)}), heal, and lower it again once less is in use`;
}

/** Only the commands. */
export function raisingCommands(found: readonly Pick<ExceededLimit, "options">[], claims: AccountClaims): string {
  const [first, ...others] = [...byTier(found).values()];
  const commands = [first ?? "", ...others].map(
    (options) => `\`relight jetstream limits ${nameForShell(claims)} ${options} --yes\``,
  );
  return commands.join(", then ");
}

/** One command for the flat limits and one per tier. If an option appears twice, the last one counts. */
function byTier(found: readonly Pick<ExceededLimit, "options">[]): ReadonlyMap<string, string> {
  const places = new Map<string, string>();
  for (const { options } of found) {
    const tier = / ?--tier \S+/.exec(options)?.[0].trim() ?? "";
    const own = options.replace(/ ?--tier \S+/, "").trim();
    const before = places.get(tier);
    places.set(tier, [before ?? tier, own].filter(Boolean).join(" "));
  }
  return places;
}

/** The name, or the id if the name would need quotes. */
export const nameForShell = ({ name, sub }: AccountClaims): string => (name && /^[\w.-]+$/.test(name) ? name : sub);
