import { hasLostNodes, type Reconfiguration } from "../ladder/reconfiguration.ts";
import { directTogglesOn, isTouchProved, TOUCH_PROVED } from "../verdict/defects.ts";
import { failedProbe, finding } from "../verdict/findings.ts";
import type { Finding } from "../verdict/verdict.ts";
import { isDeaf } from "./deafness.ts";
import { allStreams } from "./domains.ts";
import type { Observation, StreamFacts } from "./observation.ts";

/**
 * Direct gets: how clients read the KV buckets and object stores that they make. An account's expiry takes their
 * subscriptions with the others, and a leader that steps down does not bring them back (nats-server #6806; ran: 2.9.10 to
 * 2.10.27, 2.11.1).
 */

/** What is wrong with who answers direct gets of a stream, and how a mirror answers those of its origin. */
export function directFindings(stream: StreamFacts): Finding[] {
  return [...ownFindings(stream), ...mirrorFindings(stream)];
}

function ownFindings(stream: StreamFacts): Finding[] {
  const { name, server, directGets } = stream;
  if (directGets === undefined) return [];
  const subject = { server, stream: name };
  if (!directGets.ok) return [failedProbe(`the direct gets of stream ${name}`, directGets, subject)];
  const { deafOn, heardOn, strayOn = [] } = directGets.value;
  return [...deafFindings(stream, deafOn, heardOn), ...strayFindings(stream, strayOn)];
}

function strayFindings({ name }: StreamFacts, strayOn: readonly string[]): Finding[] {
  return strayOn.map((server) => {
    const message = `on ${server} what is left of a stopped replica takes direct gets of stream ${name} and answers none: some of them time out until ${server} restarts`;
    return finding("stream.direct_stray", "degraded", { server, stream: name }, message, { probe: "SUBSZ" });
  });
}

function deafFindings(
  { name, server }: StreamFacts,
  deafOn: readonly string[],
  heardOn: readonly string[],
): Finding[] {
  if (deafOn.length === 0) return [];
  const subject = { server, stream: name };
  const evidence = { probe: "SUBSZ", deafOn, heardOn };
  const servers = deafOn.join(", ");
  if (heardOn.length === 0) {
    const message = `no server answers direct gets of stream ${name} (asked: ${servers})${impactOn(name)}`;
    return [finding("stream.direct_deaf", "dead", subject, message, evidence)];
  }
  const message = `${servers} ${deafOn.length === 1 ? "does" : "do"} not answer direct gets of stream ${name}; ${heardOn.join(", ")} ${heardOn.length === 1 ? "does" : "do"}`;
  return [finding("stream.direct_partly_deaf", "degraded", subject, message, evidence)];
}

/** What their users see. */
function impactOn(stream: string): string {
  const [, kind, bucket] = /^(KV|OBJ)_(.+)$/.exec(stream) ?? [];
  if (bucket === undefined) return "";
  return kind === "KV"
    ? `: every get of KV bucket ${bucket} fails`
    : `: reading object store ${bucket} fails`;
}

function mirrorFindings({ name, server, mirrorDirect }: StreamFacts): Finding[] {
  if (mirrorDirect === undefined) return [];
  const subject = { server, stream: name };
  if (!mirrorDirect.ok)
    return [failedProbe(`the direct gets that mirror ${name} answers`, mirrorDirect, subject)];
  if (mirrorDirect.value !== "broken") return [];
  const message = `mirror ${name} answers only a part of the direct gets of its origin, in whose place it stands`;
  return [finding("mirror.direct_deaf", "degraded", subject, message, { probe: "SUBSZ" })];
}

/** What {@link directToggles} would change, and what can't be, with the reason. */
export interface DirectToggles {
  readonly possible: readonly Reconfiguration[];
  readonly refused: readonly { readonly stream: string; readonly why: string }[];
}

/**
 * The streams whose direct gets come back when they are turned off and on again: such that have a leader that hears
 * them, so that what else is dead of them comes first.
 */
export function directToggles(observation: Observation): DirectToggles {
  const { streams, servers } = observation;
  const wanted = (streams.ok ? streams.value : []).filter(
    (stream) =>
      lacksDirect(stream) && stream.leader !== undefined && !isDeaf(stream) && !hasLostNodes(stream),
  );
  const old = servers.filter(({ version }) => !directTogglesOn(version)).map(({ version }) => version);
  const isRefused = ({ replicas, peers }: StreamFacts): boolean =>
    old.length > 0 && (replicas > 1 || peers.length > 0);
  return {
    possible: wanted
      .filter((stream) => !isRefused(stream))
      .map(({ name, config }) => ({
        stream: name,
        before: config,
        during: { ...config, allow_direct: false },
        consumers: [],
      })),
    refused: wanted.filter(isRefused).map(({ name }) => ({
      stream: name,
      why: `${[...new Set(old)].join(", ")} turns direct gets off and on only for streams of one replica (from 2.9.12 on for all): restart its servers, one at a time, or upgrade them`,
    })),
  };
}

function lacksDirect({ directGets }: StreamFacts): boolean {
  return directGets?.ok === true && directGets.value.deafOn.length > 0;
}

/**
 * Why no configuration may be updated here, if one may not: servers that hold something without its Raft node panic at
 * updates before 2.12.8 and 2.14.0, and what other update they would survive is not proved.
 */
export function updateDanger(observation: Observation): string | undefined {
  const damaged = allStreams(observation).filter(hasLostNodes);
  if (damaged.length === 0) return undefined;
  const unproved = observation.servers.filter(({ version }) => !isTouchProved(version));
  if (unproved.length === 0) return undefined;
  const names = damaged.map(({ name }) => name).join(", ");
  const servers = unproved.map(({ name, version }) => `${name} (${version})`).join(", ");
  return `${names} lost Raft nodes, and an update is not proved to be survived by ${servers}; ${TOUCH_PROVED.why}`;
}

/**
 * The servers on which direct gets of a stream are not answered, or not all, and a restart would bring them back. For a mirror that
 * answers a part of its origin's none is restarted: the origin answers them all.
 */
export function directDeafOn({ directGets }: StreamFacts): readonly string[] {
  if (directGets?.ok !== true) return [];
  const { deafOn, strayOn = [] } = directGets.value;
  return [...deafOn, ...strayOn.filter((server) => !deafOn.includes(server))];
}
