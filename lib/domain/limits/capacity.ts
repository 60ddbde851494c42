import type { AccountClaims } from "../claims/claims.ts";
import type { ServerFacts } from "../observation/observation.ts";
import type { JsonObject } from "../time/json.ts";
import { formatSize } from "../time/sizes.ts";
import { limitsOf } from "./jetstream-limits.ts";
import { replicasOf, storageOf, tiersOf } from "./limit-changes.ts";
import type { ServerCapacity, Storage } from "./server-use.ts";

export interface ReservationInput {
  readonly servers: readonly ServerFacts[];
  readonly capacities: readonly ServerCapacity[];
  /** The account's claims before and after; it may have had none. */
  readonly before: AccountClaims | undefined;
  readonly after: AccountClaims;
  /** The claims of all other accounts that have not expired. */
  readonly others: readonly AccountClaims[];
}

/** Why limits can't be reserved, and whether servers would accept them anyway. */
export interface Objection {
  readonly message: string;
  /**
   * Whether `--force` overrides it. A standalone server accepts the claims, answers 200, and keeps the old limits
   * ("insufficient resources" is only in its log; tested on 2.9.10, 2.10.27 and 2.15.1). A cluster applies any limits.
   */
  readonly canBeForced: boolean;
}

/** The storage that an account's limits promise, with all replicas. No limit (-1) promises nothing. */
export function promised(claims: AccountClaims): Storage {
  const limits = limitsOf(claims);
  const tiers = Object.entries(tiersOf(limits));
  if (tiers.length === 0) return storageIn(limits, 1);
  return tiers.map(([tier, of]) => storageIn(of, replicasOf(tier) ?? 1)).reduce(add, NOTHING);
}

/**
 * Objections to raised limits: a tier needs more servers than there are, or all accounts together are promised more than
 * the servers of a JetStream domain have. Only raised limits are checked.
 */
export function reservationObjections(input: ReservationInput): readonly Objection[] {
  const domains = hostsByDomain(input);
  if (domains.length === 0) return [{ message: "no server has JetStream", canBeForced: false }];
  return domains.flatMap((hosts) => [...replicaObjections(input, hosts), ...storageObjections(input, hosts)]);
}

/** What servers provably lack although they would accept the claims; empty if they do not report their capacity. */
export function shortages(input: ReservationInput): readonly string[] {
  const reporting = input.capacities.map(({ server }) => server);
  return hostsByDomain(input)
    .filter((hosts) => hosts.every(({ name }) => reporting.includes(name)))
    .flatMap((hosts) => storageObjections(input, hosts))
    .filter(({ canBeForced }) => !canBeForced)
    .map(({ message }) => message);
}

function hostsByDomain({ servers }: ReservationInput): readonly (readonly ServerFacts[])[] {
  const hosts = servers.filter(({ jetstream }) => jetstream);
  const domains = [...new Set(hosts.map(({ domain }) => domain))];
  return domains.map((domain) => hosts.filter((host) => host.domain === domain));
}

function replicaObjections({ before, after }: ReservationInput, hosts: readonly ServerFacts[]): Objection[] {
  const known = before === undefined ? [] : Object.keys(tiersOf(limitsOf(before)));
  const added = Object.keys(tiersOf(limitsOf(after))).filter((tier) => !known.includes(tier));
  return added
    .filter((tier) => (replicasOf(tier) ?? 1) > hosts.length)
    .map((tier) => ({
      message: `tier ${tier} needs ${replicasOf(tier)} servers with JetStream, but there ${hosts.length === 1 ? "is 1" : `are ${hosts.length}`}`,
      canBeForced: true,
    }));
}

function storageObjections(input: ReservationInput, hosts: readonly ServerFacts[]): Objection[] {
  const { capacities, before, after, others } = input;
  const names = new Set(hosts.map(({ name }) => name));
  const here = capacities.filter(({ server }) => names.has(server));
  const missing = [...names].filter((name) => !here.some(({ server }) => server === name));
  if (missing.length > 0)
    return [
      {
        message: `${missing.join(", ")} did not report how much can be reserved`,
        canBeForced: false,
      },
    ];
  const max = here.map((capacity) => capacity.max).reduce(add, NOTHING);
  const taken = here.map(({ reserved }) => reserved).reduce(add, NOTHING);
  const elsewhere = others.map(promised).reduce(add, NOTHING);
  const canBeForced = !hosts.some(({ topology }) => topology === "standalone");
  const [old, wanted] = [before === undefined ? NOTHING : promised(before), promised(after)];
  return (["memory", "file"] as const).flatMap((kind) => {
    const raise = wanted[kind] - old[kind];
    if (raise <= 0) return [];
    const has = `${hosts.map(({ name }) => name).join(", ")} ${hosts.length === 1 ? "has" : "have"} ${formatSize(max[kind])} of ${NOUN[kind]} in all`;
    if (elsewhere[kind] + wanted[kind] > max[kind])
      return [
        {
          message: `${formatSize(wanted[kind])} of ${NOUN[kind]} can't be reserved: ${has}, of which other accounts' limits promise ${formatSize(elsewhere[kind])}${promisedTo(others, kind)}`,
          canBeForced,
        },
      ];
    if (taken[kind] + raise <= max[kind]) return [];
    const message = `${formatSize(raise)} more of ${NOUN[kind]} can't be reserved: ${has}, of which streams' max_bytes take ${formatSize(taken[kind])}`;
    return [{ message, canBeForced }];
  });
}

/** The accounts with the largest promises, for people. */
function promisedTo(others: readonly AccountClaims[], kind: keyof Storage): string {
  const sizes = others.map((claims) => ({ name: claims.name || claims.sub, size: promised(claims)[kind] }));
  const largest = sizes.filter(({ size }) => size > 0).sort((one, other) => other.size - one.size);
  if (largest.length === 0) return "";
  const shown = largest.slice(0, MOST_SHOWN).map(({ name, size }) => `${formatSize(size)} to ${name}`);
  const more = largest.length > MOST_SHOWN ? `, and to ${largest.length - MOST_SHOWN} more` : "";
  return ` (${shown.join(", ")}${more})`;
}

const MOST_SHOWN = 3;
const NOUN = { memory: "memory", file: "disk" } as const;
const NOTHING: Storage = { memory: 0, file: 0 };
const add = (a: Storage, b: Storage): Storage => ({ memory: a.memory + b.memory, file: a.file + b.file });

function storageIn(limits: JsonObject, replicas: number): Storage {
  const bytes = (claim: string): number => Math.max(0, storageOf(limits[claim])) * replicas;
  return { memory: bytes("mem_storage"), file: bytes("disk_storage") };
}
