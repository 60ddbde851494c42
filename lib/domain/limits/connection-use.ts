import { loaded } from "../claims/claims-in-force.ts";
import { isNone } from "../gate/lockout.ts";
import type { Observation } from "../observation/observation.ts";
import { limitsOf } from "./jetstream-limits.ts";

/** How many connections an account has, and how many its claims allow. */
export interface ConnectionUse {
  readonly used: number;
  readonly limit: number;
}

/** Why servers refuse every further client of an account, Relight's own included. */
export type ClosedDoor = {
  /** `locked`: the claims let nobody in. `full`: as many are connected as the claims allow. */
  readonly kind: "locked" | "full";
  readonly message: string;
} & Partial<ConnectionUse>;

type Running = Observation["running"];

/** Undefined where, as far as is known, a client more is let in. */
export function closedDoor(running: Running): ClosedDoor | undefined {
  for (const { document } of loaded({ running })) {
    const conn = limitsOf(document.claims)["conn"];
    if (!isNone(conn)) continue;
    const value = conn ?? "absent, which is 0";
    return {
      kind: "locked",
      message: `the account is locked by its claims: conn is ${value}, and nobody can connect`,
    };
  }
  const use = connectionUse(running);
  if (use === undefined || use.used < use.limit) return undefined;
  return { kind: "full", ...use, message: `${use.used} of ${use.limit} connections (conn) are in use` };
}

/**
 * Undefined where connections are not limited, or not all servers told of theirs. Each server counts the clients of all,
 * and of leafnodes its own beside them (`MaxTotalConnectionsReached`, nats-server 2.9 to 2.12).
 */
export function connectionUse(running: Running): ConnectionUse | undefined {
  const entries = loaded({ running });
  const limits = entries.map(({ document }) => Number(limitsOf(document.claims)["conn"] ?? 0));
  const limit = Math.min(...limits.filter((one) => one > 0));
  if (!Number.isFinite(limit) || entries.some(({ connections }) => connections === undefined))
    return undefined;
  const counts = entries.flatMap(({ connections }) => connections ?? []);
  const clients = counts.reduce((sum, count) => sum + count.clients, 0);
  return { used: clients + Math.min(...counts.map(({ leafnodes }) => leafnodes)), limit };
}

/** Why Relight can't ask as the account; undefined where it can, as far as is known. */
export const refusedAsAccount = ({ running }: Pick<Observation, "running">): string | undefined =>
  closedDoor(running)?.message;
