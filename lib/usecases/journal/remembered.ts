import type { AccountId } from "../../domain/claims/account.ts";
import type { ClaimsDocument } from "../../domain/claims/claims.ts";
import { type JournalEntry, lastClaims, REMEMBERED, TOLD_ONLY } from "../../domain/journal/journal.ts";
import { type LastSight, lastSight } from "../../domain/observation/streams-seen.ts";
import type { Journal } from "../../ports/journal.ts";

/** All that a look needs to know of before. One read for all, so that one answer serves whoever asks for a part. */
export function memoryOf(journal: Journal, account: AccountId): Promise<readonly JournalEntry[]> {
  return journal.read({ account, kinds: REMEMBERED });
}

/** The claims that were last seen in force; undefined where the journal never saw any. */
export async function lastSeenOf(journal: Journal, account: AccountId): Promise<ClaimsDocument | undefined> {
  return lastClaims(await journal.read({ account, kinds: ["claims.seen"], limit: 1 }), TOLD_ONLY);
}

/** The account when it was last seen well. */
export async function sightOf(journal: Journal, account: AccountId): Promise<LastSight | undefined> {
  return lastSight(await journal.read({ account, kinds: ["streams.seen"], limit: 1 }));
}

/** All of them: the newest by its proof need not be the last that somebody wrote. */
export function claimsSeen(journal: Journal, account: AccountId): Promise<readonly JournalEntry[]> {
  return journal.read({ account, kinds: ["claims.seen"] });
}

/** What a deletion is known by is read anew each time: `watch` writes it while a job is under way. */
export function deletionsOf(journal: Journal, account: AccountId): Promise<readonly JournalEntry[]> {
  return journal.read({ account, kinds: ["account.deleted"] });
}
