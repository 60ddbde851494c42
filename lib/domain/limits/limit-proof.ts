import type { AccountClaims } from "../claims/claims.ts";
import type { AccountViewProbe } from "../observation/observation.ts";
import { limitsAt, storageOf } from "./limit-changes.ts";

/**
 * Empty if JetStream reports the wanted limits to the account, otherwise the difference. Also empty without an account
 * key, because then Relight cannot ask.
 */
export function limitsAreLike(view: AccountViewProbe, wanted: AccountClaims, tier: string | undefined): string {
  if (view.ok === "not-asked") return "";
  if (!view.ok) return view.message;
  const { jetstream, info } = view.value;
  if (jetstream !== "enabled") return `JetStream reports to the account that it is ${jetstream}`;
  const limits = limitsAt(wanted, tier);
  const room = info.limits[tier ?? "flat"];
  const [memory, file] = [storageOf(limits["mem_storage"]), storageOf(limits["disk_storage"])];
  if (room === undefined)
    return `JetStream reports no limits${tier === undefined ? "" : ` of tier ${tier}`} to the account`;
  if (isSame(room.memory.limit, memory) && isSame(room.file.limit, file)) return "";
  return `JetStream reports other limits to the account (${room.memory.limit} of memory, ${room.file.limit} of storage); the server's log says why`;
}

/** Every negative value means no limit. */
const isSame = (a: number, b: number): boolean => a === b || (a < 0 && b < 0);
