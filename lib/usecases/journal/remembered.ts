import type { AccountId } from "../../domain/claims/account.ts";
import type { ClaimsDocument } from "../../domain/claims/claims.ts";
import { EVEN_UNPROVED, type JournalEntry, lastClaims, REMEMBERED } from "../../domain/journal/journal.ts";
import { type LastSight, lastSight } from "../../domain/observation/streams-seen.ts";
import type { Journal } from "../../ports/journal.ts";

/** Everything that a check needs from earlier runs, in one read, which then serves all parts. */
export function memoryOf(journal: Journal, account: AccountId): Promise<readonly JournalEntry[]> {
  return journal.read({ account, kinds: REMEMBERED });
}

/** The last claims in force; undefined if the journal has none. */
export async function lastSeenOf(journal: Journal, account: AccountId): Promise<ClaimsDocument | undefined> {
  return lastClaims(await journal.read({ account, kinds: ["claims.seen"], limit: 1 }), EVEN_UNPROVED);
}

/** The account when it was last healthy. */
export async function sightOf(journal: Journal, account: AccountId): Promise<LastSight | undefined> {
  return lastSight(await journal.read({ account, kinds: ["streams.seen"], limit: 1 }));
}

/** All of them, because the newest by its signed time may not be the last one written. */
export function claimsSeen(journal: Journal, account: AccountId): Promise<readonly JournalEntry[]> {
  return journal.read({ account, kinds: ["claims.seen"] });
}

/** Read again each time, because `watch` writes deletions while a job is running. */
export function deletionsOf(journal: Journal, account: AccountId): Promise<readonly JournalEntry[]> {
  return journal.read({ account, kinds: ["account.deleted"] });
}
