import { loaded } from "../claims/claims-in-force.ts";
import { isNone } from "../gate/lockout.ts";
import type { Observation } from "../observation/observation.ts";
import { limitsOf } from "./jetstream-limits.ts";

/** How many connections an account has, and how many its claims allow. */
export interface ConnectionUse {
  readonly used: number;
  readonly limit: number;
}

/** Why servers refuse every further client of an account, including Relight. */
export type ConnectionRefusal = {
  /** `locked`: the claims allow no connections. `full`: all allowed connections are in use. */
  readonly kind: "locked" | "full";
  readonly message: string;
} & Partial<ConnectionUse>;

type Running = Observation["running"];

/** Undefined if, as far as is known, another client can connect. */
export function connectionRefusal(running: Running): ConnectionRefusal | undefined {
  for (const { document } of loaded({ running })) {
    const conn = limitsOf(document.claims)["conn"];
    if (!isNone(conn)) continue;
    const value = conn ?? "absent, which means 0";
    return {
      kind: "locked",
      message: `the claims lock the account: conn is ${value}, so nobody can connect`,
    };
  }
  const use = connectionUse(running);
  if (use === undefined || use.used < use.limit) return undefined;
  return { kind: "full", ...use, message: `${use.used} of ${use.limit} connections (conn) are in use` };
}

/**
 * Undefined if connections are unlimited or not all servers reported theirs. Each server counts the clients of all servers
 * and its own leafnodes (`MaxTotalConnectionsReached`, nats-server 2.9 to 2.12).
 */
export function connectionUse(running: Running): ConnectionUse | undefined {
  const entries = loaded({ running });
  const limits = entries.map(({ document }) => Number(limitsOf(document.claims)["conn"] ?? 0));
  const limit = Math.min(...limits.filter((one) => one > 0));
  if (!Number.isFinite(limit) || entries.some(({ connections }) => connections === undefined)) return undefined;
  const counts = entries.flatMap(({ connections }) => connections ?? []);
  const clients = counts.reduce((sum, count) => sum + count.clients, 0);
  return { used: clients + Math.min(...counts.map(({ leafnodes }) => leafnodes)), limit };
}

/** Why Relight can't connect as the account; undefined if nothing is known against it. */
export const refusedAsAccount = ({ running }: Pick<Observation, "running">): string | undefined =>
  connectionRefusal(running)?.message;
