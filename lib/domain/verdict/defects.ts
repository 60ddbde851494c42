import { parse, satisfies } from "semver";

/** A known defect of nats-server that affects JetStream accounts when claims change. */
export interface Defect {
  readonly issue: string;
  readonly title: string;
  /** semver range of affected versions. */
  readonly affected: string;
  readonly fixedIn: readonly string[];
}

/** Sources: issues and release notes of nats-io/nats-server, and tests on 2.9.10, 2.10.27 and 2.15.1. */
export const DEFECTS: readonly Defect[] = [
  {
    issue: "#6806",
    title: "streams and consumers stay deaf after an expired account was renewed",
    affected: "<2.10.28 || >=2.11.0-0 <2.11.2",
    fixedIn: ["2.10.28", "2.11.2"],
  },
  {
    issue: "#6766",
    title: "streams and consumers go deaf when the connection limit is lowered below current usage",
    affected: "<2.10.28 || >=2.11.0-0 <2.11.2",
    fixedIn: ["2.10.28", "2.11.2"],
  },
  {
    issue: "#3881",
    title: "a cluster forgets single-replica consumers if their server restarts while the account is expired",
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
    issue: "#6498",
    title:
      "streams from before the server's last start take nothing of imports that are pushed later, until it restarts",
    affected: "<2.10.26",
    fixedIn: ["2.10.26", "2.11.0"],
  },
  {
    issue: "#6753",
    title:
      "a stream on file with a first_seq is emptied when a server loads it, while its first message has that sequence",
    affected: ">=2.10.0-0 <2.10.28 || >=2.11.0-0 <2.11.2",
    fixedIn: ["2.10.28", "2.11.2"],
  },
  {
    issue: "#8084",
    title: "one expired account fails the server's whole /healthz",
    affected: "<2.12.14 || >=2.14.0-0 <2.14.4",
    fixedIn: ["2.12.14", "2.14.4"],
  },
];

/** The known defects of a server version; none if the version can't be parsed. */
export function defectsOf(version: string): readonly Defect[] {
  const release = parse(version, { loose: true });
  if (release === null) return [];
  // A pre-release of the fixed version counts as affected, because it may lack the fix.
  return DEFECTS.filter(({ affected }) => satisfies(release, affected, { includePrerelease: true }));
}

/** "2.10.27 has nats-server #6806, fixed in 2.10.28 and 2.11.2"; undefined if the version is not affected. */
export function explainDefect(version: string, issue: string): string | undefined {
  const defect = defectsOf(version).find((candidate) => candidate.issue === issue);
  if (defect === undefined) return undefined;
  return `${version} has nats-server ${issue} (${defect.title}), fixed in ${defect.fixedIn.join(" and ")}`;
}

/**
 * Whether an ephemeral consumer has a leader again after temporary replicas are removed. On 2.9.10 it may stay without one
 * (on a busy machine in 6 of 17 tests); never seen on 2.10.27, 2.11.1, 2.15.1.
 */
export const keepsEphemerals = (version: string): boolean => satisfies(version, ">=2.10.0", { loose: true });

/**
 * Whether changing the replicas of a work-queue or interest stream changes all of its consumers, even those with one
 * replica. Then they must not be changed separately. Tested: yes on 2.10.27, no on 2.9.10 and 2.9.25.
 */
export const keepsParity = (version: string): boolean => satisfies(version, ">=2.10.0", { loose: true });

/** The issue of panics at elections of the meta leader. */
export const PANICS_AT_ELECTION = "#5700";

/** "2.10.20 (s1, s2)" */
export function describeVersions(servers: readonly { readonly name: string; readonly version: string }[]): string {
  const versions = [...new Set(servers.map(({ version }) => version))];
  const named = (wanted: string): string =>
    servers
      .filter(({ version }) => version === wanted)
      .map(({ name }) => name)
      .join(", ");
  return versions.map((version) => `${version} (${named(version)})`).join(" and ");
}
/**
 * Whether every replica applies a change of a stream's `allow_direct`. Before 2.9.12 only single-replica streams do (read
 * in stream.go, `stream.update`). Tested: helps on 2.9.25, 2.10.27 and 2.11.1, not on 2.9.10.
 */
export const directTogglesOn = (version: string): boolean =>
  satisfies(version, ">=2.9.12", { loose: true, includePrerelease: true });

/**
 * Whether a server counts everything that an account stores against `disk_max_stream_bytes` and `mem_max_stream_bytes`,
 * which are limits per stream: up to 2.12.4 (read in `wouldExceedLimits`; tested: refused on 2.9.10 and 2.10.27, not on
 * 2.15.1).
 */
export const sumsStreamLimit = (version: string): boolean =>
  satisfies(version, "<2.12.5", { loose: true, includePrerelease: true });

/** Whether a server reports the Raft groups of its streams and consumers (in the source of 2.9.25, not of 2.9.10). */
export const reportsRaftGroups = (version: string): boolean =>
  satisfies(version, ">=2.9.25", { loose: true, includePrerelease: true });
