import { nameOfGroup } from "../ladder/step-down.ts";
import { defined } from "../time/defined.ts";
import type { Millis } from "../time/time.ts";
import { failedProbe } from "../verdict/findings.ts";
import type { Finding, FindingCode } from "../verdict/verdict.ts";
import type { AccountViewProbe, ConsumerFacts, Observation, Probe, StreamFacts } from "./observation.ts";
import { type Identity, identitiesOf, isYoung } from "./still-there.ts";

/**
 * Compares consecutive observations. Streams and consumers look dead for a moment while they are created or deleted, or
 * elect a leader, so a fault counts only if several observations confirm it.
 */

/** One observation and its findings. */
export interface Sighting {
  readonly observation: Observation;
  readonly findings: readonly Finding[];
  /** How long after the first observation. */
  readonly after: Millis;
}

/** The observations so far, for comparison with the next one. */
export interface Followed {
  /** What the first observation found faulty, with its identity. */
  readonly faultyAtFirst: ReadonlyMap<string, string | undefined>;
  /** The subject of each finding of the last observation, and since when it was found without a gap. */
  readonly since: ReadonlyMap<string, Onset>;
}

interface Onset {
  readonly identity: string | undefined;
  readonly began: Millis;
}

/** The last observation, as far as earlier ones confirm it. */
export interface Agreement {
  /** Without unconfirmed faults, because no remedy may act on them. */
  readonly observation: Observation;
  /** Whether a finding counts. */
  readonly counts: (finding: Finding) => boolean;
  /** Findings that make streams and consumers unknown because they failed after the first observation. */
  readonly unsettled: readonly Finding[];
  /** Whether something is unconfirmed, so another observation is needed. */
  readonly isPending: boolean;
}

/** When a fault counts. */
export interface ConfirmationTimes {
  /** How long it must be found without a gap. An election takes less. */
  readonly confirmedAfter: Millis;
  /** Streams and consumers younger than this count as being created. */
  readonly young: Millis;
}

/** Findings from the journal, not from an observation. */
const KNOWN: ReadonlySet<FindingCode> = new Set(["asset.lost", "remedy.unfinished", "journal.unproved"]);

/** Whether a finding is about an observed stream or consumer. */
export function isOfAsset({ code, subject }: Finding): boolean {
  return subject.stream !== undefined && !KNOWN.has(code);
}

/**
 * How a finding counts.
 * - `confirmed`: it lasted long enough.
 * - `pending`: it has been there since the first observation, but not long enough yet. It counts for now.
 * - `unsettled`: it appeared after the first observation, and makes its stream or consumer unknown.
 * - `passing`: its stream or consumer was just created, so it is no finding.
 */
type Confirmation = "confirmed" | "pending" | "unsettled" | "passing";

/**
 * Compares an observation with earlier ones.
 * @param before the earlier ones; absent for the first observation, which counts as it is
 */
export function agree(
  sighting: Sighting,
  times: ConfirmationTimes,
  before?: Followed,
): { readonly agreement: Agreement; readonly followed: Followed } {
  const { observation, after } = sighting;
  const faults = sighting.findings.filter(isOfAsset);
  const identities = identitiesOf(observation);
  const since = new Map(faults.map((finding) => [keyOf(finding), onsetOf(finding, identities, after, before)]));
  const faultyAtFirst =
    before?.faultyAtFirst ?? new Map(faults.map((finding) => [assetOf(finding), identityOf(finding, identities)]));
  const followed = { faultyAtFirst, since };
  if (before === undefined) {
    const isPending = faults.length > 0;
    return { agreement: { observation, counts: () => true, unsettled: [], isPending }, followed };
  }
  const isNew = isYoungIn(observation, identities, times.young);
  const confirmations = new Map(
    faults.map((finding) => [keyOf(finding), confirmationOf(finding, followed, { after, isNew, ...times })] as const),
  );
  return { agreement: agreementOn(sighting, faults, confirmations), followed };
}

const assetOf = ({ subject: { stream = "", consumer } }: Finding): string =>
  nameOfGroup({ stream, ...defined({ consumer }) });

/** A dead finding does not count as lasting longer because a lesser finding came before it. */
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

function isYoungIn(
  { at, servers }: Observation,
  identities: ReadonlyMap<string, Identity>,
  young: Millis,
): (asset: string) => boolean {
  return (asset) => isYoung(identities.get(asset)?.created, at, servers, young);
}

function confirmationOf(
  finding: Finding,
  { faultyAtFirst, since }: Followed,
  {
    after,
    isNew,
    confirmedAfter,
  }: {
    readonly after: Millis;
    readonly isNew: (asset: string) => boolean;
    readonly confirmedAfter: Millis;
  },
): Confirmation {
  const asset = assetOf(finding);
  const { identity, began = after } = since.get(keyOf(finding)) ?? {};
  if (isNew(asset)) return wasFaultyAtFirst(faultyAtFirst, asset, identity) ? "pending" : "passing";
  if (after - began >= confirmedAfter) return "confirmed";
  return began === 0 ? "pending" : "unsettled";
}

/** A stream that only the account's view listed at first has no known identity, so it may be the same. */
function wasFaultyAtFirst(
  faultyAtFirst: Followed["faultyAtFirst"],
  asset: string,
  identity: string | undefined,
): boolean {
  const then = faultyAtFirst.get(asset);
  return faultyAtFirst.has(asset) && (then === undefined || then === identity);
}

function agreementOn(
  { observation }: Sighting,
  faults: readonly Finding[],
  confirmations: ReadonlyMap<string, Confirmation>,
): Agreement {
  const isOf = (finding: Finding, ...wanted: readonly Confirmation[]): boolean => {
    const confirmation = confirmations.get(keyOf(finding));
    return confirmation !== undefined && wanted.includes(confirmation);
  };
  const known = new Set(faults.filter((finding) => isOf(finding, "confirmed", "pending")).map(assetOf));
  const others = faults.filter((finding) => !known.has(assetOf(finding)));
  const unsettled = firstOfEach(others.filter((finding) => isOf(finding, "unsettled")));
  const doubts: Doubts = new Map(
    others.map((finding) => [assetOf(finding), unsettled.has(assetOf(finding)) ? "unsettled" : "passing"]),
  );
  return {
    observation: withoutDoubted(observation, doubts),
    counts: (finding) => !isOfAsset(finding) || (known.has(assetOf(finding)) && isOf(finding, "confirmed", "pending")),
    unsettled: [...unsettled].map(([asset, finding]) => unsettledFinding(asset, finding)),
    isPending: faults.some((finding) => isOf(finding, "pending", "unsettled")),
  };
}

function firstOfEach(findings: readonly Finding[]): ReadonlyMap<string, Finding> {
  const first = new Map<string, Finding>();
  for (const finding of findings) if (!first.has(assetOf(finding))) first.set(assetOf(finding), finding);
  return first;
}

const CHANGES = "it changed during the checks";
const UNSETTLED = { ok: false, code: "nats.unsettled", message: CHANGES } as const;

function unsettledFinding(asset: string, { subject, message }: Finding): Finding {
  const what = `${subject.consumer === undefined ? "stream" : "consumer"} ${asset}`;
  return failedProbe(what, { ...UNSETTLED, message: `${CHANGES} (last: ${message})` }, subject);
}

/** Streams and consumers with unconfirmed faults. Passing ones are omitted from the observation. */
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

/** An unsettled stream keeps facts that prevent remedies, such as a lost Raft node. */
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
