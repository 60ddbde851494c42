import { type EpochMillis, isoTime, toMillis } from "../time/time.ts";
import type { AccountClaims } from "./claims.ts";

/**
 * Where a server takes account JWTs from. `full` keeps all. `cache` keeps those of accounts that it has loaded, until their
 * time to live is over. `memory-or-url` keeps none that is pushed: at a restart (MEMORY also at a reload) it takes what
 * `resolver_preload` has or the URL serves. Servers do not tell MEMORY and URL apart.
 */
export type ResolverKind = "full" | "cache" | "memory-or-url";

/** A server and its resolver. */
export interface ServerResolver {
  readonly name: string;
  /** Absent if unknown. */
  readonly resolver?: ResolverKind;
  /** When it last read its configuration, by its own clock; absent if unknown. */
  readonly configuredAt?: EpochMillis;
}

const WORDS: Readonly<Record<ResolverKind, string>> = {
  full: "full resolver",
  cache: "cache resolver",
  "memory-or-url": "MEMORY or URL resolver",
};

/** `full resolver`, for people. */
export const describeResolver = ({ resolver }: Pick<ServerResolver, "resolver">): string =>
  resolver === undefined ? "resolver unknown" : WORDS[resolver];

/** `full resolver` if all servers have the same kind, otherwise each kind with its servers. */
export function describeResolvers(servers: readonly ServerResolver[]): string {
  const kinds = new Map<string, string[]>();
  for (const server of servers) {
    const kind = describeResolver(server);
    kinds.set(kind, [...(kinds.get(kind) ?? []), server.name]);
  }
  return [...kinds].map(([kind, names]) => (kinds.size === 1 ? kind : `${kind} on ${names.join(", ")}`)).join("; ");
}

/** Whether it is known that no server has a full resolver, so nothing keeps the JWTs of accounts that are not loaded. */
export const isWithoutFull = (servers: readonly ServerResolver[]): boolean =>
  servers.length > 0 && servers.every(({ resolver }) => resolver !== undefined && resolver !== "full");

const WHERE_TO_PUT = "put it into resolver_preload, or where the resolver's URL serves it";

/** Why a push of an account that no server has loaded would reach nobody; undefined if a server keeps it. */
export function whyNoPush(servers: readonly ServerResolver[]): string | undefined {
  if (!isWithoutFull(servers)) return undefined;
  return `no server would take the JWT, because none has a full resolver (${describeResolvers(servers)}) and none has the account loaded: ${WHERE_TO_PUT}, or let a client of the account connect first`;
}

/** What becomes of a pushed JWT where servers do not keep it; undefined if they do, or it is unknown. */
export function whereForgotten(servers: readonly ServerResolver[]): string | undefined {
  const forgetting = servers.filter(({ resolver }) => resolver === "memory-or-url").map(({ name }) => name);
  if (forgetting.length > 0)
    return `a restart of ${forgetting.join(", ")} (MEMORY or URL resolver) brings back an older JWT: ${WHERE_TO_PUT}`;
  if (!isWithoutFull(servers)) return undefined;
  return `only a cache resolver keeps it, until its time to live (ttl) is over: have a full resolver, or push it there`;
}

/** Why the server may come back from a restart with an older JWT of the account; undefined if nothing indicates that. */
export function mayComeBackOlder(
  { name, resolver, configuredAt }: ServerResolver,
  { iat }: Pick<AccountClaims, "iat">,
): string | undefined {
  if (resolver !== "memory-or-url" || configuredAt === undefined || toMillis(iat) <= configuredAt) return undefined;
  return `${name} runs a JWT of ${isoTime(toMillis(iat))}, but has a MEMORY or URL resolver and has not read its configuration since ${isoTime(configuredAt)}: a restart brings back an older JWT unless the resolver's URL serves this one`;
}
