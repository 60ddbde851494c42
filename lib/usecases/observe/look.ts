import { type AccountId, expectationsOf } from "../../domain/claims/account.ts";
import type { ClaimsDocument } from "../../domain/claims/claims.ts";
import { claimsInForce } from "../../domain/claims/claims-in-force.ts";
import type { SourceView } from "../../domain/claims/claims-source.ts";
import { type KnownClaims, knownClaims, needsJournal } from "../../domain/claims/known-claims.ts";
import { lastDeletion, type Presence, presenceIn } from "../../domain/claims/presence.ts";
import { EVEN_UNPROVED, type JournalEntry, lastAdopted, lastMemory } from "../../domain/journal/journal.ts";
import { lastPush } from "../../domain/journal/last-push.ts";
import { openReconfigurations, openToggle, unprovedOpenings } from "../../domain/journal/open-remedies.ts";
import { keyOfLoss, type Loss, lossesSince, newLosses, openLosses } from "../../domain/ladder/loss.ts";
import type { MemoryAsset } from "../../domain/ladder/memory.ts";
import { tierHistory } from "../../domain/limits/tier-history.ts";
import { agree, type Followed } from "../../domain/observation/agreement.ts";
import type { Observation } from "../../domain/observation/observation.ts";
import { defined } from "../../domain/time/defined.ts";
import { millis } from "../../domain/time/time.ts";
import { assess, type Standards } from "../../domain/verdict/assess.ts";
import type { Verdict } from "../../domain/verdict/verdict.ts";
import { probe } from "../../errors.ts";
import { accountKeyOf, type Context } from "../context/context.ts";
import { provedBy } from "../journal/proof.ts";
import { claimsSeen, lastSeenOf, memoryOf, sightOf } from "../journal/remembered.ts";
import { shortageOf } from "./shortage.ts";

/** One check of an account: the observation, the verdict, and its claims. */
export interface Look {
  readonly observation: Observation;
  readonly verdict: Verdict;
  /** The claims in force. */
  readonly claims: ClaimsDocument | undefined;
  /** Other known claims. */
  readonly known: KnownClaims;
  /** The streams and consumers in memory when the account was last healthy. */
  readonly memorySeen: readonly MemoryAsset[];
  /** Losses since the account was last healthy that are not in the journal yet. */
  readonly lost: readonly Loss[];
  /** The source of truth, if one is configured. */
  readonly source?: SourceView;
  /** Whether the account exists, and if not, why. */
  readonly presence: Presence;
}

/**
 * Observes and judges once, without side effects in the cluster or the journal. A single check does not prove a fault,
 * because streams look dead while they are created or deleted: see {@link looking} and `lookTwice`. Ignores heartbeats of
 * mirrors and sources, which take three seconds to check.
 */
export async function lookOnce(context: Context, account: AccountId): Promise<Look> {
  return (await lookAt(context, account, false)).look;
}

/**
 * What servers hold of the account and report to the system account, without the account's own view: dead streams answer
 * nothing there, so each of its looks takes seconds while they are dead.
 */
export const lookAtHeld = ({ probes, settingsOf }: Context, account: AccountId): Promise<Observation> =>
  probes.observe(account, undefined, expectationsOf(settingsOf(account)), false);

/** Checks at each call, and returns what earlier checks confirm. The first check counts as it is. */
export type LookAgain = () => Promise<AgreedLook>;

export interface AgreedLook extends Look {
  /** Whether something is unconfirmed, so another check is needed. */
  readonly isPending: boolean;
}

/** @param listens whether to check heartbeats of mirrors and sources too, unlike {@link lookOnce} */
export function looking(context: Context, account: AccountId, listens = true): LookAgain {
  let followed: Followed | undefined;
  let first: number | undefined;
  let lostBefore: ReadonlySet<string> | undefined;
  const again = async (): Promise<AgreedLook> => {
    const { look, standards } = await lookAt(context, account, listens);
    const now = context.clock.monotonic();
    first ??= now;
    const { observation, verdict } = look;
    const after = millis(now - first);
    const before = followed;
    const agreed = agree({ observation, findings: verdict.findings, after }, context.timing, before);
    followed = agreed.followed;
    // Like a fault, a loss must be confirmed by another check.
    const lost = look.lost.filter((loss) => lostBefore?.has(keyOfLoss(loss)) ?? true);
    lostBefore = new Set(lost.map(keyOfLoss));
    const { observation: agreedOn, ...agreement } = agreed.agreement;
    const isPending = agreement.isPending || (lost.length > 0 && after < context.timing.confirmedAfter);
    if (before === undefined) return { ...look, isPending };
    const losses = (standards.losses ?? []).filter((loss) => !look.lost.includes(loss) || lost.includes(loss));
    const judged = assess(agreedOn, { ...standards, losses, agreement });
    return { ...look, isPending, lost, observation: agreedOn, verdict: judged };
  };
  return async () => {
    const { isPending, ...look } = await again();
    context.onLook?.({ observation: look.observation, verdict: look.verdict, ...defined({ claims: look.claims }) });
    return { ...look, isPending };
  };
}

/** A check, and what it is judged by. */
interface Judged {
  readonly look: Look;
  readonly standards: Standards;
}

async function lookAt(context: Context, account: AccountId, listens: boolean): Promise<Judged> {
  const { probes, journal, operator } = context;
  const expected = expectationsOf(context.settingsOf(account));
  const observe = async (): Promise<Observation> => {
    const key = await probe(() => accountKeyOf(context, account));
    const seen = await probes.observe(account, key.ok ? key.value : undefined, expected, listens);
    // An unreadable account key affects only this account: it is checked without its own view.
    return key.ok ? seen : { ...seen, accountView: key };
  };
  const first = await observe();
  // The key may have been rotated since an earlier run read it.
  const observation = isKeyRefused(first) && context.secrets.renew?.() === true ? await observe() : first;
  const [remembered, sight] = await Promise.all([memoryOf(journal, account), sightOf(journal, account)]);
  const isProved = provedBy(context);
  const lost = sight === undefined ? [] : newLosses(lossesSince(sight, observation), remembered, sight);
  const source = await lookIntoSource(context, account, remembered);
  const claims = claimsInForce(observation, operator);
  const seenBefore = needsJournal({ observation, inForce: claims }) ? await claimsSeen(journal, account) : [];
  const known = knownClaims({ observation, inForce: claims, source, seen: seenBefore, operator, isProved });
  const deletion = lastDeletion(remembered);
  const isPlain = claims !== undefined && deletion === undefined;
  const lastSeen = isPlain ? undefined : await lastSeenOf(journal, account);
  const presence = presenceIn(observation, operator, { lastSeen, deletion });
  const standards: Standards = {
    operator,
    presence,
    ...defined({ sight, source, pushed: lastPush(remembered) }),
    shortage: await shortageOf(context, observation),
    losses: [...openLosses(remembered), ...lost],
    unfinishedToggle: openToggle(remembered, isProved) !== undefined,
    unfinishedChanges: openReconfigurations(remembered, isProved).map(({ stream }) => stream),
    tiers: tierHistory(remembered),
    unproved: [...unprovedOpenings(remembered, isProved), ...(known.unproved === undefined ? [] : [known.unproved])],
    expected,
  };
  const verdict = assess(observation, standards);
  const memorySeen = lastMemory(remembered, isProved);
  const seenSource = defined({ source });
  const look = { observation, verdict, claims, known, memorySeen, presence, lost, ...seenSource };
  return { look, standards };
}

/** Also if the claims no longer have the key, because then nothing is asked with it. */
function isKeyRefused({ accountView }: Observation): boolean {
  if (accountView.ok === "not-asked") return accountView.keptOut === true;
  return !accountView.ok && (accountView.code === "nats.unauthorized" || accountView.code === "secret.malformed");
}

/** An unreadable source is a failed probe, not an answer. */
async function lookIntoSource(
  context: Context,
  account: AccountId,
  remembered: readonly JournalEntry[],
): Promise<SourceView | undefined> {
  const { source, signer } = context;
  if (source === undefined) return undefined;
  const adopted = lastAdopted(remembered, signer === undefined ? EVEN_UNPROVED : provedBy(context));
  return {
    name: source.claims.name,
    sourced: await probe(() => source.claims.lookup(account)),
    ...defined({ adopted }),
  };
}
