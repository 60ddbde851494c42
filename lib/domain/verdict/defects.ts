import { parse, satisfies } from "semver";

/** A known fault of nats-server that matters to a JetStream account whose claims change. */
export interface Defect {
  readonly issue: string;
  readonly title: string;
  /** semver range of the versions that carry it. */
  readonly affected: string;
  readonly fixedIn: readonly string[];
}

/** Sources: the issues and release notes of nats-io/nats-server, and runs on 2.9.10, 2.10.27 and 2.15.1. */
export const DEFECTS: readonly Defect[] = [
  {
    issue: "#6806",
    title: "streams and consumers stay deaf after an expired account was renewed",
    affected: "<2.10.28 || >=2.11.0-0 <2.11.2",
    fixedIn: ["2.10.28", "2.11.2"],
  },
  {
    issue: "#6766",
    title: "streams and consumers go deaf when the connection limit is lowered below its use",
    affected: "<2.10.28 || >=2.11.0-0 <2.11.2",
    fixedIn: ["2.10.28", "2.11.2"],
  },
  {
    issue: "#3881",
    title: "a cluster forgets consumers of one replica whose server restarts while the account is expired",
    affected: "<2.9.15",
    fixedIn: ["2.9.15"],
  },
  {
    issue: "#5700",
    title: "servers that restarted while an account was expired panic at each election of the meta leader",
    affected: ">=2.10.16 <2.10.23",
    fixedIn: ["2.10.23", "2.11.0"],
  },
  {
    issue: "#8084",
    title: "one expired account fails the server's whole /healthz",
    affected: "<2.12.14 || >=2.14.0-0 <2.14.4",
    fixedIn: ["2.12.14", "2.14.4"],
  },
];

/** The known defects of a server version; none for a version that can't be read. */
export function defectsOf(version: string): readonly Defect[] {
  const release = parse(version, { loose: true });
  if (release === null) return [];
  // A pre-release of the fixed version counts as affected: it may have been cut before the fix.
  return DEFECTS.filter(({ affected }) => satisfies(release, affected, { includePrerelease: true }));
}

/** "2.10.27 has nats-server #6806, fixed in 2.10.28 and 2.11.2"; undefined where the version is clean of it. */
export function explainDefect(version: string, issue: string): string | undefined {
  const defect = defectsOf(version).find((candidate) => candidate.issue === issue);
  if (defect === undefined) return undefined;
  return `${version} has nats-server ${issue} (${defect.title}), fixed in ${defect.fixedIn.join(" and ")}`;
}

/**
 * Whether an ephemeral consumer that was given replicas for a while has a leader again when they are taken back. On
 * 2.9.10 it may be left without one for ever, on a busy machine in 6 of 17 runs; never seen on 2.10.27, 2.11.1, 2.15.1.
 */
export const keepsEphemerals = (version: string): boolean => satisfies(version, ">=2.10.0", { loose: true });

/**
 * Whether a work queue or an interest stream takes each of its consumers along when its replicas change, such too that say
 * one replica; then they must not be changed by themselves. Not on 2.9.10 and 2.9.25, but on 2.10.27 (ran).
 */
export const keepsParity = (version: string): boolean => satisfies(version, ">=2.10.0", { loose: true });

/** The issue of {@link survivesElection}. */
export const PANICS_AT_ELECTION = "#5700";

/**
 * Whether a server that restarted while an account was expired outlives an election of the meta leader: up to 2.10.22 the
 * new leader sends all others a snapshot, at which a damaged server panics since 2.10.16 (#5454, #5700). Ran: panicked on
 * 2.10.17 and 2.10.20, at once or within seconds; not on 2.9.10, 2.9.25, 2.10.0, 2.10.10, and none from 2.10.23 on.
 * What lies between was not tried, and what can't be read is not known: both are taken for those that panic.
 */
export const survivesElection = (version: string): boolean =>
  satisfies(version, "<=2.10.10 || >=2.10.23 <2.11.0-0 || >=2.11.0", {
    loose: true,
    includePrerelease: true,
  });

/** "2.10.20 (s1, s2)" */
export function describeVersions(
  servers: readonly { readonly name: string; readonly version: string }[],
): string {
  const versions = [...new Set(servers.map(({ version }) => version))];
  const named = (wanted: string): string =>
    servers
      .filter(({ version }) => version === wanted)
      .map(({ name }) => name)
      .join(", ");
  return versions.map((version) => `${version} (${named(version)})`).join(" and ");
}
/**
 * Whether every replica acts when a stream's `allow_direct` changes. Before 2.9.12 only that of a stream of one replica
 * does (read in stream.go, `stream.update`). Ran: brought back on 2.9.25, 2.10.27 and 2.11.1, not on 2.9.10.
 */
export const directTogglesOn = (version: string): boolean =>
  satisfies(version, ">=2.9.12", { loose: true, includePrerelease: true });

/**
 * Whether a server counts all that an account stores against `disk_max_stream_bytes` and `mem_max_stream_bytes`, which are
 * meant for the largest stream: up to 2.12.4 (read in `wouldExceedLimits`; ran: refused on 2.9.10 and 2.10.27, not on 2.15.1).
 */
export const sumsStreamLimit = (version: string): boolean =>
  satisfies(version, "<2.12.5", { loose: true, includePrerelease: true });

/** Whether a server names the Raft groups of what it holds (seen in 2.9.25's source, not in 2.9.10). */
export const tellsRaftGroups = (version: string): boolean =>
  satisfies(version, ">=2.9.25", { loose: true, includePrerelease: true });

/**
 * Where touching the configuration of a stream without its Raft node revives it. Elsewhere the server
 * panics: `processClusterUpdateStream` read the stream's assignment before it was set (nil pointer in
 * `startClusterSubs`). Mended in 2.12.8 and 2.14.0 ("Must run before startClusterSubs reads mset.sa.Sync").
 * Ran: revived on 2.12.15, 2.14.0, 2.14.9 and 2.15.1; panicked on 2.10.27, 2.11.2, 2.11.17 and 2.12.1.
 */
export const TOUCH_PROVED = {
  range: ">=2.12.8 <2.13.0-0 || >=2.14.0 <2.16.0-0",
  why: "before 2.12.8 and 2.14.0 it makes them panic",
} as const;

export function isTouchProved(version: string): boolean {
  return satisfies(version, TOUCH_PROVED.range, { loose: true });
}
