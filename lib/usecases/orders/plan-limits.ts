import type { AccountId } from "../../domain/claims/account.ts";
import {
  type AccountClaims,
  type ClaimChange,
  type ClaimsDocument,
  diffClaims,
  editClaims,
} from "../../domain/claims/claims.ts";
import { RENEWAL_CLAIMS } from "../../domain/gate/gate.ts";
import { type Harm, type HarmLeave, harmOf, keepsServersDown } from "../../domain/gate/gate-harm.ts";
import { allows, describeMode } from "../../domain/ladder/mode.ts";
import { type Objection, reservationObjections } from "../../domain/limits/capacity.ts";
import { refusedAsAccount } from "../../domain/limits/connection-use.ts";
import { enablesJetStream } from "../../domain/limits/jetstream-limits.ts";
import { type LimitRequest, limitEdits, limitsAt } from "../../domain/limits/limit-changes.ts";
import { belowUse } from "../../domain/limits/limit-usage.ts";
import { cannotEnter, tierEntries } from "../../domain/limits/tier-entries.ts";
import { updateDanger } from "../../domain/observation/direct-gets.ts";
import { allStreams } from "../../domain/observation/domains.ts";
import type { Observation } from "../../domain/observation/observation.ts";
import { toSeconds } from "../../domain/time/time.ts";
import { RelightError } from "../../errors.ts";
import { type Context, modeFor } from "../context/context.ts";
import { refuseDeleted } from "../observe/deletion.ts";
import { otherAccounts } from "../observe/inventory.ts";
import { type Look, lookOnce } from "../observe/look.ts";
import { changesOf, lackOfRights } from "../remedies/readiness.ts";

export interface LimitOrder {
  readonly account: AccountId;
  /** `enable` is for an account without JetStream, `limits` for one that has it. */
  readonly action: "enable" | "limits";
  readonly request: LimitRequest;
  /** Overrides the objections that can be overridden. */
  readonly force: boolean;
  /** Changes from flat limits to tiers although Relight can't move the streams, because a restart of each server follows. */
  readonly restartFollows?: boolean;
}

/** The planned change, and the reasons against it. Nothing has been changed. */
export interface LimitPlan {
  readonly changes: readonly ClaimChange[];
  /** Always refused. */
  readonly refusals: readonly string[];
  /** Refused without `--force`. */
  readonly objections: readonly string[];
  readonly current: ClaimsDocument;
  readonly changed: ClaimsDocument;
  /** The observed streams, for the gate. */
  readonly use: Observation["streams"];
  /** Whether existing streams count in none of the new tiers until Relight moves them. */
  readonly movesStreams: boolean;
}

/**
 * Plans a change of an account's JetStream limits: the diff, and all reasons against it.
 * @throws RelightError `account.no_claims`, `account.deleted`, `usage`.
 */
export async function planLimits(context: Context, order: LimitOrder): Promise<LimitPlan> {
  return planFrom(context, order, await lookOnce(context, order.account));
}

/** The same, from an existing check. */
export async function planFrom(context: Context, order: LimitOrder, seen: Look): Promise<LimitPlan> {
  const { account, action, request } = order;
  const current = seen.claims;
  refuseDeleted(account, seen.presence);
  if (current === undefined)
    throw new RelightError("account.no_claims", `no server or resolver knows account ${account}`);
  const edits = limitEdits(current.claims, request);
  const use = seen.observation.streams;
  if (!edits.ok) {
    const refused = { changes: [], refusals: [edits.problem], objections: [] };
    return { ...refused, current, changed: current, use, movesStreams: false };
  }
  const changed = editClaims(current, edits.edits);
  const changes = diffClaims(current, changed).filter(({ path }) => !RENEWAL_CLAIMS.includes(path));
  const reservation = await reservationOf(context, account, seen, current, changed);
  const [before, after] = [current, changed].map(({ claims }) => limitsAt(claims, request.tier));
  const inUse =
    request.toTiers === undefined && before && after ? belowUse(before, after, seen.observation, request.tier) : [];
  const stays = await moveObjection(context, order, seen);
  const movesStreams = needsMove(order, use) && stays === undefined;
  const harm = harmOf({
    account,
    systemAccount: context.operator.systemAccount,
    before: current.claims,
    after: changed.claims,
    now: toSeconds(context.clock.now()),
    use,
    allowed: new Set(harmAllowed({ ...order, force: request.toTiers === undefined }, movesStreams)),
  });
  const isBelow = ({ code }: Harm): boolean => code === "below_use";
  const isUndone =
    keepsServersDown(account, context.operator.systemAccount, current.claims) &&
    !keepsServersDown(account, context.operator.systemAccount, changed.claims);
  return {
    changes,
    current,
    changed,
    use,
    movesStreams,
    refusals: [
      ...harm
        .filter((it) => !isBelow(it) || movesStreams)
        .map(({ code, message }) => (code === "tier_switch" ? `${message}. ${tierSteps(stays)}` : message)),
      ...(isUndone ? [] : switchRefusals(action, current.claims, changed.claims)),
      ...messages(reservation, false),
    ],
    objections: [
      ...messages(reservation, true),
      ...inUse,
      ...harm.filter((it) => isBelow(it) && !movesStreams).map(({ message }) => message),
    ],
  };
}

const tierSteps = (stays: string | undefined): string =>
  `Relight would move them into their tiers at once, but ${stays}. --restart-follows pushes the limits anyway: then restart the servers at once, one at a time (\`relight doctor\` says when the next one may restart)`;

export function harmAllowed({ force, restartFollows }: LimitOrder, movesStreams: boolean): readonly HarmLeave[] {
  const switches = restartFollows || movesStreams;
  return [...(force ? (["below_use"] as const) : []), ...(switches ? (["tier_switch"] as const) : [])];
}

/** Whether flat limits become tiers while streams exist, without `--restart-follows`. */
const needsMove = ({ request, restartFollows }: LimitOrder, use: Observation["streams"]): boolean =>
  request.toTiers !== undefined && !restartFollows && use.ok && use.value.length > 0;

/** Why Relight could not move the streams into their tiers; checked before the push. */
async function moveObjection(context: Context, order: LimitOrder, { observation }: Look): Promise<string | undefined> {
  const { account } = order;
  if (!needsMove(order, observation.streams)) return undefined;
  const mode = modeFor(context, account);
  if (!allows(mode.mode, "heal")) return `its mode does not allow it: ${describeMode(mode)}`;
  const refused = refusedAsAccount(observation) ?? updateDanger(observation);
  if (refused !== undefined) return refused;
  const stuck = allStreams(observation).flatMap((stream) => {
    const why = stream.config["sealed"] === true ? undefined : cannotEnter(stream);
    return why === undefined ? [] : [`stream ${stream.name}: ${why}`];
  });
  if (stuck.length > 0) return stuck.join("; ");
  return lackOfRights(context, account, { configure: changesOf(tierEntries(observation)) });
}

function messages(objections: readonly Objection[], forced: boolean): readonly string[] {
  return objections.filter(({ canBeForced }) => canBeForced === forced).map(({ message }) => message);
}

function switchRefusals(action: LimitOrder["action"], before: AccountClaims, after: AccountClaims): readonly string[] {
  const had = enablesJetStream(before);
  if (action === "enable" && had)
    return ["the account already has JetStream; change its limits with `relight jetstream limits`"];
  if (action === "limits" && !had) return ["the account has no JetStream; enable it with `relight jetstream enable`"];
  if (enablesJetStream(after)) return [];
  if (!had) return ["without memory or storage the account would have no JetStream; give --memory or --storage"];
  return ["it would remove the account's JetStream, which destroys streams in a cluster"];
}

async function reservationOf(
  context: Context,
  account: AccountId,
  { observation }: Look,
  before: ClaimsDocument,
  after: ClaimsDocument,
): Promise<readonly Objection[]> {
  const capacities = await context.probes.capacity();
  if (!capacities.ok)
    return [{ message: `it is unknown how much can be reserved: ${capacities.message}`, canBeForced: true }];
  return reservationObjections({
    servers: observation.servers,
    capacities: capacities.value,
    before: before.claims,
    after: after.claims,
    others: await otherAccounts(context, account),
  });
}

export function assertAllowed({ force, account }: LimitOrder, { refusals, objections }: LimitPlan): void {
  const reasons = [...refusals, ...(force ? [] : objections)];
  if (reasons.length === 0) return;
  throw new RelightError("limits.refused", `the limits of ${account} were not changed: ${reasons.join("; ")}`, {
    details: { refusals, objections },
  });
}
