import type { AccountClaims } from "../claims/claims.ts";
import type { AccountViewProbe } from "../observation/observation.ts";
import { limitsAt, storageOf } from "./limit-changes.ts";

/**
 * Whether JetStream runs with the limits wanted, as the account itself is told: empty, or what is otherwise.
 * Without an account's key that can't be asked, and the claims in force must do.
 */
export function limitsAreLike(
  view: AccountViewProbe,
  wanted: AccountClaims,
  tier: string | undefined,
): string {
  if (view.ok === "not-asked") return "";
  if (!view.ok) return view.message;
  const { jetstream, info } = view.value;
  if (jetstream !== "enabled") return `the account is told that its JetStream is ${jetstream}`;
  const limits = limitsAt(wanted, tier);
  const room = info.limits[tier ?? "flat"];
  const [memory, file] = [storageOf(limits["mem_storage"]), storageOf(limits["disk_storage"])];
  if (room === undefined)
    return `the account is told of no limits${tier === undefined ? "" : ` of tier ${tier}`}`;
  if (isSame(room.memory.limit, memory) && isSame(room.file.limit, file)) return "";
  return `the account is told of other limits (${room.memory.limit} of memory, ${room.file.limit} of storage); the server's log says why`;
}

/** All that is negative is no limit. */
const isSame = (a: number, b: number): boolean => a === b || (a < 0 && b < 0);
