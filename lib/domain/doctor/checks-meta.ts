import type { MetaGroup, MetaPeer } from "../observation/meta-group.ts";
import type { StreamFacts } from "../observation/observation.ts";
import { formatDuration, millis } from "../time/time.ts";
import { type Check, type CheckSubject, check } from "./checks.ts";
import type { DomainMeta } from "./layers-facts.ts";

/** A member of the meta group that is away for longer is no longer just restarting; milliseconds. */
const LONG_AWAY = millis(3_600_000);
/** Replicas in one domain; as many as the public catalogue of Synadia Insights warns about. */
export const MANY_REPLICAS = 5_000;

/** @param streams those of all accounts */
export function metaChecks(domains: readonly DomainMeta[], streams: readonly StreamFacts[]): readonly Check[] {
  return domains.flatMap(({ domain, meta }) => {
    const about = domain === undefined ? {} : { domain };
    const held = streams.filter((stream) => stream.domain === domain);
    return [
      ...(meta.ok && meta.value !== undefined ? groupChecks(about, meta.value) : []),
      ...assetChecks(about, held),
    ];
  });
}

function groupChecks(about: CheckSubject, { size, leader, peers }: MetaGroup): readonly Check[] {
  const names = [...(leader === undefined ? [] : [leader]), ...peers.map(({ name }) => name)];
  const twice = new Set(names.filter((name, index) => names.indexOf(name) !== index));
  return [
    ...peers.filter(isGone).map((peer) => goneCheck(about, peer)),
    ...(size % 2 === 0 ? [check("meta.even", about, `the meta group has ${size} servers`, { size })] : []),
    ...[...twice].map((name) => check("meta.name_twice", about, `the meta group has ${name} twice`, { name })),
  ];
}

const isGone = ({ offline, activeAgoMillis: silent }: MetaPeer): boolean =>
  silent === undefined ? offline : silent > LONG_AWAY;

function goneCheck(about: CheckSubject, { name: peer, activeAgoMillis: silent }: MetaPeer): Check {
  const since = silent === undefined ? "since this leader was elected" : `for ${formatDuration(silent)}`;
  const seconds = silent === undefined ? null : Math.round(silent / 1000);
  return check("meta.peer_gone", { ...about, server: peer }, `is away ${since}`, { peer, seconds });
}

function assetChecks(about: CheckSubject, streams: readonly StreamFacts[]): readonly Check[] {
  const groups = streams.flatMap((stream) => [stream, ...stream.consumers]);
  const replicas = groups.reduce((sum, { peers }) => sum + peers.length + 1, 0);
  if (replicas < MANY_REPLICAS) return [];
  const message = `streams and consumers have ${replicas} replicas`;
  return [check("meta.assets", about, message, { replicas, limit: MANY_REPLICAS })];
}
