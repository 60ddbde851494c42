import { nameOfGroup } from "../ladder/step-down.ts";
import { defined } from "../time/defined.ts";
import type { Millis } from "../time/time.ts";
import { failedProbe } from "../verdict/findings.ts";
import type { Finding, FindingCode } from "../verdict/verdict.ts";
import type { AccountViewProbe, ConsumerFacts, Observation, Probe, StreamFacts } from "./observation.ts";
import { type Identity, identitiesOf, isYoung } from "./still-there.ts";

/**
 * What looks one after the other agree about. What is being made or deleted looks dead for a moment, and so does a group
 * that elects its leader: no fault of a stream or a consumer is believed which one look saw.
 */

/** One look by itself, and what is wrong by it. */
export interface Sighting {
  readonly observation: Observation;
  readonly findings: readonly Finding[];
  /** How long after the first look of this series. */
  readonly after: Millis;
}

/** What the looks so far told, for the next one to be compared with. */
export interface Followed {
  /** What the first look found ill, and which it was. */
  readonly illAtFirst: ReadonlyMap<string, string | undefined>;
  /** What each finding of the last look is about, and since when it was found without a break. */
  readonly since: ReadonlyMap<string, Onset>;
}

interface Onset {
  readonly identity: string | undefined;
  readonly began: Millis;
}

/** The last look, as far as the ones before agree with it. */
export interface Agreement {
  /** Without the faults that are not believed: no remedy is to act on them. */
  readonly observation: Observation;
  /** Whether a finding of this observation counts. */
  readonly counts: (finding: Finding) => boolean;
  /** That streams and consumers are unknown which were well by the first look and are not by this one. */
  readonly unsettled: readonly Finding[];
  /** Whether something is not believed yet: the next look tells more. */
  readonly isPending: boolean;
}

/** When a fault is believed. */
export interface BeliefTimes {
  /** So long it must be found without a break: an election takes less. */
  readonly believedAfter: Millis;
  /** What is younger is being made. */
  readonly young: Millis;
}

/** Known by the journal, not seen by a look. */
const KNOWN: ReadonlySet<FindingCode> = new Set(["asset.lost", "remedy.unfinished", "journal.unproved"]);

/** Whether a finding is about a stream or a consumer, as a look saw it. */
export function isOfAsset({ code, subject }: Finding): boolean {
  return subject.stream !== undefined && !KNOWN.has(code);
}

/**
 * What is made of one finding.
 * - `believed`: it was there for long enough.
 * - `pending`: it is there since the first look, and not for long enough yet. Until then it counts.
 * - `unsettled`: it came up after the first look, so that it makes its stream or consumer unknown.
 * - `passing`: what it is about was made a moment ago, after the first look or just before: it is no finding.
 */
type Belief = "believed" | "pending" | "unsettled" | "passing";

/**
 * Compares a look with the ones before it.
 * @param before what these told; absent for the first look, which is taken as it is
 */
export function agree(
  sighting: Sighting,
  times: BeliefTimes,
  before?: Followed,
): { readonly agreement: Agreement; readonly followed: Followed } {
  const { observation, after } = sighting;
  const ills = sighting.findings.filter(isOfAsset);
  const identities = identitiesOf(observation);
  const since = new Map(ills.map((finding) => [keyOf(finding), onsetOf(finding, identities, after, before)]));
  const illAtFirst =
    before?.illAtFirst ?? new Map(ills.map((finding) => [assetOf(finding), identityOf(finding, identities)]));
  const followed = { illAtFirst, since };
  if (before === undefined) {
    const isPending = ills.length > 0;
    return { agreement: { observation, counts: () => true, unsettled: [], isPending }, followed };
  }
  const isNew = youthIn(observation, identities, times.young);
  const beliefs = new Map(
    ills.map((finding) => [keyOf(finding), beliefIn(finding, followed, { after, isNew, ...times })] as const),
  );
  return { agreement: agreementOn(sighting, ills, beliefs), followed };
}

const assetOf = ({ subject: { stream = "", consumer } }: Finding): string =>
  nameOfGroup({ stream, ...defined({ consumer }) });

/** A death is no longer one because something less was found before. */
const keyOf = (finding: Finding): string =>
  `${finding.code} ${finding.health === "dead" ? "dead" : "alive"} ${assetOf(finding)}`;

const identityOf = (finding: Finding, identities: ReadonlyMap<string, Identity>): string | undefined =>
  identities.get(assetOf(finding))?.text;

function onsetOf(
  finding: Finding,
  identities: ReadonlyMap<string, Identity>,
  after: Millis,
  before: Followed | undefined,
): Onset {
  const identity = identityOf(finding, identities);
  const earlier = before?.since.get(keyOf(finding));
  return earlier?.identity === identity && earlier !== undefined ? earlier : { identity, began: after };
}

function youthIn(
  { at, servers }: Observation,
  identities: ReadonlyMap<string, Identity>,
  young: Millis,
): (asset: string) => boolean {
  return (asset) => isYoung(identities.get(asset)?.created, at, servers, young);
}

function beliefIn(
  finding: Finding,
  { illAtFirst, since }: Followed,
  {
    after,
    isNew,
    believedAfter,
  }: {
    readonly after: Millis;
    readonly isNew: (asset: string) => boolean;
    readonly believedAfter: Millis;
  },
): Belief {
  const asset = assetOf(finding);
  const { identity, began = after } = since.get(keyOf(finding)) ?? {};
  if (isNew(asset)) return wasIllAtFirst(illAtFirst, asset, identity) ? "pending" : "passing";
  if (after - began >= believedAfter) return "believed";
  return began === 0 ? "pending" : "unsettled";
}

/** What no server told of at first, and the account was told to be there, may be the same. */
function wasIllAtFirst(
  illAtFirst: Followed["illAtFirst"],
  asset: string,
  identity: string | undefined,
): boolean {
  const then = illAtFirst.get(asset);
  return illAtFirst.has(asset) && (then === undefined || then === identity);
}

function agreementOn(
  { observation }: Sighting,
  ills: readonly Finding[],
  beliefs: ReadonlyMap<string, Belief>,
): Agreement {
  const isOf = (finding: Finding, ...wanted: readonly Belief[]): boolean => {
    const belief = beliefs.get(keyOf(finding));
    return belief !== undefined && wanted.includes(belief);
  };
  const known = new Set(ills.filter((finding) => isOf(finding, "believed", "pending")).map(assetOf));
  const others = ills.filter((finding) => !known.has(assetOf(finding)));
  const unsettled = firstOfEach(others.filter((finding) => isOf(finding, "unsettled")));
  const doubts: Doubts = new Map(
    others.map((finding) => [assetOf(finding), unsettled.has(assetOf(finding)) ? "unsettled" : "passing"]),
  );
  return {
    observation: withoutDoubted(observation, doubts),
    counts: (finding) =>
      !isOfAsset(finding) || (known.has(assetOf(finding)) && isOf(finding, "believed", "pending")),
    unsettled: [...unsettled].map(([asset, finding]) => unsettledFinding(asset, finding)),
    isPending: ills.some((finding) => isOf(finding, "pending", "unsettled")),
  };
}

function firstOfEach(findings: readonly Finding[]): ReadonlyMap<string, Finding> {
  const first = new Map<string, Finding>();
  for (const finding of findings) if (!first.has(assetOf(finding))) first.set(assetOf(finding), finding);
  return first;
}

const CHANGES = "it changes while it is looked at";
const UNSETTLED = { ok: false, code: "nats.unsettled", message: CHANGES } as const;

function unsettledFinding(asset: string, { subject, message }: Finding): Finding {
  const what = `${subject.consumer === undefined ? "stream" : "consumer"} ${asset}`;
  return failedProbe(what, { ...UNSETTLED, message: `${CHANGES} (lastly: ${message})` }, subject);
}

/** Streams and consumers whose faults are not believed: what only passes is left out. */
type Doubts = ReadonlyMap<string, "unsettled" | "passing">;

function withoutDoubted(seen: Observation, doubts: Doubts): Observation {
  if (doubts.size === 0) return seen;
  const of = (probe: Probe<readonly StreamFacts[]>): Probe<readonly StreamFacts[]> =>
    probe.ok ? { ok: true, value: probe.value.flatMap((stream) => settledStream(stream, doubts)) } : probe;
  const { streams, elsewhere, accountView } = seen;
  return {
    ...seen,
    streams: of(streams),
    elsewhere: of(elsewhere),
    accountView: settledView(accountView, doubts),
  };
}

function settledView(view: AccountViewProbe, doubts: Doubts): AccountViewProbe {
  if (view.ok !== true) return view;
  const failing = view.value.failing.filter(({ stream }) => !doubts.has(nameOfGroup({ stream })));
  return { ok: true, value: { ...view.value, failing } };
}

/** One that is unsettled keeps what keeps remedies from acting, as a lost Raft node. */
function settledStream(stream: StreamFacts, doubts: Doubts): readonly StreamFacts[] {
  const own = doubts.get(nameOfGroup({ stream: stream.name }));
  if (own === "passing") return [];
  const doubtAbout = (consumer: string) => doubts.get(nameOfGroup({ stream: stream.name, consumer }));
  const consumers = stream.consumers.flatMap((consumer): readonly ConsumerFacts[] => {
    const doubt = doubtAbout(consumer.name);
    if (doubt === "passing") return [];
    return [doubt === "unsettled" ? { ...consumer, heard: UNSETTLED } : consumer];
  });
  const forgotten = stream.forgotten.filter(({ name }) => doubtAbout(name) === undefined);
  return [{ ...stream, ...(own === "unsettled" ? { deafSubjects: UNSETTLED } : {}), consumers, forgotten }];
}
