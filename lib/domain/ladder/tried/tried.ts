import { compare, parse, satisfies } from "semver";

/**
 * What servers survive while assets lack their Raft nodes, as it was tried (docs/servers.md has all results). Both are
 * fatal on some versions, so Relight does them only where many tries say that they are safe.
 */

/** How often something was tried on a version, and how often a server panicked. */
export interface Outcome {
  readonly tried: number;
  readonly panicked: number;
}

/** Versions on which the same code answers, according to the server's source. */
export interface Stretch {
  /** semver range. */
  readonly range: string;
  /** Whether servers survive it, and it helps. */
  readonly isSafe: boolean;
  /** Issues and pull requests of nats-server. */
  readonly why: string;
  /** By version. */
  readonly outcomes: Readonly<Record<string, Outcome>>;
}

/** One thing that may be done to a damaged server. */
export interface Practice {
  readonly stretches: readonly Stretch[];
  /** Whether a pre-release counts as the versions around it. */
  readonly countsPreReleases: boolean;
}

const survived = (tried: number): Outcome => ({ tried, panicked: 0 });
const panicked = (tried: number, often = tried): Outcome => ({ tried, panicked: often });

/** A configuration update of a stream without its Raft node, which revives it if the server survives. */
export const UPDATE: Practice = {
  countsPreReleases: false,
  stretches: [
    {
      range: "<2.9.25",
      isSafe: false,
      why: "it survives, but consumers may stay without their Raft nodes (tried on 2.9.10)",
      outcomes: { "2.9.10": survived(1) },
    },
    {
      range: ">=2.9.25 <2.10.16",
      isSafe: true,
      why: "the code that panics came with #5454",
      outcomes: { "2.9.25": survived(3), "2.10.0": survived(3), "2.10.10": survived(2), "2.10.14": survived(3) },
    },
    {
      range: ">=2.10.16 <2.12.8 || >=2.13.0-0 <2.14.0",
      isSafe: false,
      why: "it panics, because startClusterSubs reads the stream's assignment before it is set (#5454, #7229)",
      outcomes: {
        "2.10.16": panicked(1),
        "2.10.20": panicked(1),
        "2.10.22": panicked(1),
        "2.10.23": panicked(1),
        "2.10.27": panicked(1),
        "2.10.28": panicked(1),
        "2.10.29": panicked(1),
        "2.11.0": panicked(1),
        "2.11.1": panicked(1),
        "2.11.2": panicked(1),
        "2.11.9": panicked(1),
        "2.11.15": panicked(1),
        "2.12.0": panicked(1),
        "2.12.5": panicked(1),
      },
    },
    {
      range: ">=2.12.8 <2.13.0-0 || >=2.14.0 <2.16.0-0",
      isSafe: true,
      why: "#8049 sets the assignment first",
      outcomes: {
        "2.12.8": survived(2),
        "2.12.14": survived(1),
        "2.14.0": survived(1),
        "2.14.4": survived(1),
        "2.14.9": survived(1),
        "2.15.1": survived(2),
        "2.15.2": survived(2),
      },
    },
  ],
};

/**
 * An election of the meta leader, to whose snapshot a damaged server listens. As a remedy it is not enough anywhere: after
 * a restart while expired it revived two of six on 2.9.25, four of six on 2.10.14, and nothing on 2.10.27, 2.12.5, 2.15.2.
 */
export const ELECTION: Practice = {
  countsPreReleases: true,
  stretches: [
    {
      range: "<=2.10.10 || 2.10.14",
      isSafe: true,
      why: "the code that panics came with #5454",
      outcomes: { "2.9.25": survived(1), "2.10.14": survived(2) },
    },
    {
      range: ">=2.10.16 <2.10.23",
      isSafe: false,
      why: "it panics on the snapshot that a new leader sends (#5454, #5700)",
      outcomes: { "2.10.16": panicked(1), "2.10.22": panicked(1) },
    },
    {
      range: ">=2.10.23 <2.11.0-0 || >=2.11.0",
      isSafe: true,
      why: "#5700 removed the snapshot",
      outcomes: { "2.10.23": survived(1), "2.10.27": survived(1), "2.12.5": survived(1), "2.15.2": survived(1) },
    },
  ],
};

/** Whether it is safe on a version, and how that is known; for people. */
export interface Answer {
  readonly isSafe: boolean;
  readonly why: string;
}

/**
 * Whether a server of this version survives it. A version that nobody tried is treated as the more careful of its
 * neighbors. Versions beyond all stretches, and ones that can't be read, count as panicking.
 */
export function answerOf({ stretches, countsPreReleases }: Practice, version: string): Answer {
  const release = parse(version, { loose: true });
  const options = { loose: true, includePrerelease: countsPreReleases };
  const own = stretches.find(({ range }) => release !== null && satisfies(release, range, options));
  if (own === undefined || release === null) return { isSafe: false, why: "it was not tried" };
  const outcome = own.outcomes[release.version];
  if (outcome !== undefined)
    return { isSafe: own.isSafe && outcome.panicked === 0, why: `${own.why}; ${tellOf(outcome)}` };
  const near = neighborsOf(stretches, release.version);
  const fatal = near.find(({ isSafe }) => !isSafe);
  if (own.isSafe && fatal !== undefined)
    return { isSafe: false, why: `it was not tried, and counts as ${fatal.version}, on which it is not safe` };
  return { isSafe: own.isSafe, why: `${own.why}; it was not tried${tellNear(near)}` };
}

const tellNear = (near: readonly Neighbor[]): string =>
  near.length === 0 ? "" : `, but ${near.map(({ version }) => version).join(" and ")}`;

const tellOf = ({ tried, panicked }: Outcome): string =>
  panicked === 0 ? `tried ${tried} times` : `panicked in ${panicked} of ${tried} tries`;

interface Neighbor {
  readonly version: string;
  readonly isSafe: boolean;
}

/** The versions next to this one that were tried. */
function neighborsOf(stretches: readonly Stretch[], version: string): readonly Neighbor[] {
  const tried = stretches
    .flatMap(({ isSafe, outcomes }) =>
      Object.entries(outcomes).map(([version, { panicked }]) => ({ version, isSafe: isSafe && panicked === 0 })),
    )
    .toSorted((one, other) => compare(one.version, other.version));
  const below = tried.findLast((one) => compare(one.version, version) < 0);
  const above = tried.find((one) => compare(one.version, version) > 0);
  return [below, above].filter((one) => one !== undefined);
}

/** Of these versions the ones that nobody tried, with their neighbors; for people. Empty if all were tried. */
export function untried(practice: Practice, versions: readonly string[]): readonly string[] {
  return [...new Set(versions)]
    .filter((version) => !practice.stretches.some(({ outcomes }) => outcomes[version] !== undefined))
    .map((version) => `${version}: ${answerOf(practice, version).why}`);
}

/** Why streams without their Raft nodes must not be updated on these servers; undefined if they survive it. */
export function updateObjection(
  servers: readonly { readonly name: string; readonly version: string }[],
): string | undefined {
  const fatal = servers.filter(({ version }) => !answerOf(UPDATE, version).isSafe);
  if (fatal.length === 0) return undefined;
  const names = fatal.map(({ name, version }) => `${name} (${version})`).join(", ");
  const why = [...new Set(fatal.map(({ version }) => `${version}: ${answerOf(UPDATE, version).why}`))].join("; ");
  return `${names} may not survive an update: ${why}`;
}

/** Whether a server that restarted while an account was expired survives an election of the meta leader. */
export const survivesElection = (version: string): boolean => answerOf(ELECTION, version).isSafe;
