import pMap from "p-map";
import type { AccountId } from "../../domain/claims/account.ts";
import { type AccountClaims, type ClaimsDocument, editClaims } from "../../domain/claims/claims.ts";
import { mayComeBackOlder } from "../../domain/claims/resolver-kind.ts";
import { type Attempt, nextStep, type Step } from "../../domain/ladder/ladder.ts";
import { memoryAssets } from "../../domain/ladder/memory.ts";
import { allows } from "../../domain/ladder/mode.ts";
import { type Reconfiguration, scaleUps, touches } from "../../domain/ladder/reconfiguration.ts";
import type { RungId, Situation } from "../../domain/ladder/rung.ts";
import type { Group } from "../../domain/ladder/step-down.ts";
import { type Objection, reservationObjections } from "../../domain/limits/capacity.ts";
import { describeExceeded, exceededLimits } from "../../domain/limits/fit.ts";
import { withoutJetStream } from "../../domain/limits/jetstream-limits.ts";
import { storageOf } from "../../domain/limits/limit-changes.ts";
import type { Counted } from "../../domain/limits/limit-usage.ts";
import type { ServerCapacity } from "../../domain/limits/server-use.ts";
import { tierEntries } from "../../domain/limits/tier-entries.ts";
import { restorations } from "../../domain/observation/forgotten.ts";
import type { HostedStream, StreamFacts } from "../../domain/observation/observation.ts";
import { defined } from "../../domain/time/defined.ts";
import { counted } from "../../domain/time/text.ts";
import { asRelightError, probe } from "../../errors.ts";
import type { Configuration, RemedyNeeds } from "../../ports/remedies.ts";
import { accountKeyOf, type Context, mayLose, nameOf, requireSigner } from "../context/context.ts";
import { otherAccounts } from "../observe/inventory.ts";
import type { Look } from "../observe/look.ts";
import { consumerChanges, streamChange } from "./reconfigure.ts";

/**
 * The next step, if everything that it needs is available. Before a rung's first step this checks what an observation does
 * not show, with the user and the limits that the rung will use, because a missing permission would leave half a remedy.
 * Changes nothing.
 */
export async function readyStep(
  context: Context,
  account: AccountId,
  situation: Situation,
  tried: ReadonlySet<Attempt>,
): Promise<Step> {
  const unready = new Map<RungId, string>();
  for (;;) {
    const step = nextStep(situation, tried, unready);
    if (step.kind !== "rung") return step;
    const lack = await lackOf(context, account, step.rung.id, situation);
    if (lack === undefined) return step;
    unready.set(step.rung.id, lack);
  }
}

/** What the rung needs but lacks; undefined if it may begin. Rethrows a lost connection, which stops the job. */
async function lackOf(
  context: Context,
  account: AccountId,
  rung: RungId,
  situation: Situation,
): Promise<string | undefined> {
  try {
    return await PROOFS[rung]?.(context, account, situation);
  } catch (thrown) {
    const error = asRelightError(thrown);
    if (error.code === "nats.connection_lost" || error.code === "internal") throw thrown;
    return `its requirements could not be checked: ${error.message}`;
  }
}

type Proof = (context: Context, account: AccountId, situation: Situation) => Promise<string | undefined>;

const PROOFS: Readonly<Partial<Record<RungId, Proof>>> = {
  "restore-consumers": (context, account, { observation }) =>
    lackOfRights(context, account, { configure: restorations(observation).possible }),
  "scale-up": (context, account, { observation }) => {
    const { possible } = scaleUps(observation);
    return lackOfRights(context, account, { configure: changesOf(possible), stepDown: groupsOf(possible) });
  },
  "touch-metadata": (context, account, { observation, memorySeen }) =>
    lackOfRights(context, account, { configure: changesOf(touches(observation, memorySeen, "")) }),
  "enter-tiers": (context, account, { observation }) =>
    lackOfRights(context, account, { configure: changesOf(tierEntries(observation)) }),
  "toggle-jetstream": async (context, account, situation) => {
    // In mode `look` no key may be read: the step is only shown.
    if (allows(context.mode.mode, "renew")) await requireSigner(context);
    const { streams } = situation.observation;
    const recreate = memoryAssets(streams.ok ? streams.value : []);
    return (await lackOfRoom(context, account, situation)) ?? lackOfRights(context, account, { recreate });
  },
  "restart-servers": lossElsewhere,
};

export const changesOf = (changes: readonly Reconfiguration[]): readonly Configuration[] =>
  changes.flatMap((change) => [...streamChange(change), ...consumerChanges(change)]);

const groupsOf = (changes: readonly Reconfiguration[]): readonly Group[] =>
  changes.flatMap(({ stream, consumers }) => [
    { stream },
    ...consumers.map(({ name: consumer }) => ({ stream, consumer })),
  ]);

/** Which of these a user created with the account's key may not do; undefined if all are allowed. */
export async function lackOfRights(
  context: Context,
  account: AccountId,
  needs: RemedyNeeds,
): Promise<string | undefined> {
  if (Object.values(needs).every((list) => list.length === 0)) return undefined;
  const key = await accountKeyOf(context, account);
  if (key === undefined) return "the account's signingKey is not configured";
  const denied = await context.assets.forbidden(account, key, needs);
  if (denied.length === 0) return undefined;
  const shown = denied.slice(0, MOST_SHOWN).join(", ");
  const more = denied.length > MOST_SHOWN ? ` and ${denied.length - MOST_SHOWN} more` : "";
  return `a user signed with the account's signingKey may not request ${shown}${more}`;
}

const MOST_SHOWN = 3;

/** Why the server can't reserve what it needs to enable JetStream again; it would report that only in its log. */
async function lackOfRoom(
  context: Context,
  account: AccountId,
  { observation, claims }: Situation,
): Promise<string | undefined> {
  if (claims === undefined) return "the claims in force could not be read";
  const { servers, streams } = observation;
  const capacities = await context.probes.capacity();
  if (!capacities.ok) return `the server's free resources are unknown: ${capacities.message}`;
  const own = streams.ok ? streams.value : [];
  const objections = reservationObjections({
    servers,
    capacities: capacities.value.map((capacity) => without(capacity, own)),
    before: withoutLimits(claims),
    after: claims.claims,
    others: await otherAccounts(context, account),
  });
  return objections.length === 0 ? undefined : describe(objections);
}

const withoutLimits = (claims: ClaimsDocument): AccountClaims =>
  editClaims(claims, withoutJetStream(claims.claims)).claims;

const describe = (objections: readonly Objection[]): string =>
  `the server would not enable JetStream again: ${objections.map(({ message }) => message).join("; ")}`;

/** The server's capacity once the account's JetStream is off, which frees its streams' reservations. */
function without(capacity: ServerCapacity, own: readonly StreamFacts[]): ServerCapacity {
  const reservedBy = (storage: StreamFacts["storage"]): number =>
    own
      .filter((stream) => stream.storage === storage)
      .reduce((sum, { config }) => sum + Math.max(0, storageOf(config["max_bytes"])), 0);
  const { memory, file } = capacity.reserved;
  const reserved = {
    memory: Math.max(0, memory - reservedBy("memory")),
    file: Math.max(0, file - reservedBy("file")),
  };
  return { ...capacity, reserved };
}

/** Concurrent requests. */
const AT_ONCE = 16;

/** What other accounts would lose: a starting server recreates the streams of all accounts within their limits. */
async function lossElsewhere(
  context: Context,
  account: AccountId,
  { observation: { servers } }: Situation,
): Promise<string | undefined> {
  const hosted = await context.probes.hosted(true);
  if (!hosted.ok) return `the streams of other accounts are unknown: ${hosted.message}`;
  const others = new Set(hosted.value.map((stream) => stream.account));
  others.delete(account);
  const losses = await pMap(
    others,
    async (other) => {
      const seen = await probe(() => context.resolver.running(other));
      const name = nameOf(context, other);
      if (!seen.ok) return [`the limits of account ${name} are unknown: ${seen.message}`];
      const loaded = seen.value.filter((entry) => entry.loaded);
      const assets = assetsOf(hosted.value.filter((stream) => stream.account === other));
      const found = loaded.flatMap(({ server, document: { claims } }) => {
        const host = servers.find((it) => it.name === server);
        const older = host && mayComeBackOlder(host, claims);
        const exceeded = exceededLimits(claims, assets);
        return [older ?? [], exceeded.length === 0 ? [] : describeExceeded(exceeded, claims)].flat();
      });
      return found.slice(0, 1).map((why) => `account ${name}: ${why}`);
    },
    { concurrency: AT_ONCE },
  );
  const [first, ...more] = losses.flat();
  if (first === undefined) return undefined;
  return more.length === 0 ? first : `${first} (and ${counted(more.length, "more account")})`;
}

/** Each stream once, with its consumers on all servers. */
function assetsOf(hosted: readonly HostedStream[]): readonly Counted[] {
  const names = new Set(hosted.map(({ name }) => name));
  return [...names].flatMap((name) => {
    const reports = hosted.filter((stream) => stream.name === name);
    const consumers = new Map(reports.flatMap((stream) => stream.consumers ?? []).map((one) => [one.name, one]));
    return reports.slice(0, 1).map((stream) => ({ ...stream, consumers: [...consumers.values()] }));
  });
}
/** The situation for the ladder: a check, the policy and the available keys. */
export function situationOf(
  context: Context,
  account: AccountId,
  { observation, verdict, claims, memorySeen }: Look,
): Situation {
  const hasAccountKey = context.settingsOf(account)?.signingKey !== undefined;
  return {
    observation,
    verdict,
    claims,
    canSign: context.signer !== undefined,
    hasAccountKey,
    allowMemoryLoss: mayLose(context, account),
    canRestart: context.restarter !== undefined,
    ...defined({ whyNoRestart: context.whyNoRestart }),
    memorySeen,
  };
}
