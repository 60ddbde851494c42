import { hasLostNodes, type Reconfiguration } from "../ladder/reconfiguration.ts";
import { updateObjection } from "../ladder/tried/tried.ts";
import { directTogglesOn } from "../verdict/defects.ts";
import { failedProbe, finding } from "../verdict/findings.ts";
import type { Finding } from "../verdict/verdict.ts";
import { isDeaf } from "./deafness.ts";
import { allStreams } from "./domains.ts";
import type { Observation, StreamFacts } from "./observation.ts";

/**
 * Direct gets, with which clients read KV buckets and object stores. An account's expiry closes their subscriptions like
 * all others, and a leader step-down does not restore them (nats-server #6806; tested on 2.9.10 to 2.10.27, 2.11.1).
 */

/** Findings about a stream's direct gets, and about a mirror's direct gets of its origin. */
export function directFindings(stream: StreamFacts): Finding[] {
  return [...ownFindings(stream), ...mirrorFindings(stream)];
}

function ownFindings(stream: StreamFacts): Finding[] {
  const { name, server, directGets } = stream;
  if (directGets === undefined) return [];
  const subject = { server, stream: name };
  if (!directGets.ok) return [failedProbe(`the direct gets of stream ${name}`, directGets, subject)];
  const { deafOn, heardOn, strayOn = [] } = directGets.value;
  // A stream that runs twice answers twice; its own finding says so.
  const strays = stream.runsTwice ? strayOn.filter((stray) => stray !== server) : strayOn;
  return [...deafFindings(stream, deafOn, heardOn), ...strayFindings(stream, strays)];
}

function strayFindings({ name }: StreamFacts, strayOn: readonly string[]): Finding[] {
  return strayOn.map((server) => {
    const message = `${server} still receives direct gets of stream ${name} for a replica that it no longer runs, and does not answer: some direct gets time out until it restarts`;
    return finding("stream.direct_stray", "degraded", { server, stream: name }, message, { probe: "SUBSZ" });
  });
}

function deafFindings({ name, server }: StreamFacts, deafOn: readonly string[], heardOn: readonly string[]): Finding[] {
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

/** The effect for clients. */
function impactOn(stream: string): string {
  const [, kind, bucket] = /^(KV|OBJ)_(.+)$/.exec(stream) ?? [];
  if (bucket === undefined) return "";
  return kind === "KV" ? `: every get of KV bucket ${bucket} fails` : `: reading object store ${bucket} fails`;
}

function mirrorFindings({ name, server, mirrorDirect }: StreamFacts): Finding[] {
  if (mirrorDirect === undefined) return [];
  const subject = { server, stream: name };
  if (!mirrorDirect.ok) return [failedProbe(`the direct gets that mirror ${name} answers`, mirrorDirect, subject)];
  if (mirrorDirect.value !== "broken") return [];
  const message = `mirror ${name} answers only some of the direct gets of its origin`;
  return [finding("mirror.direct_deaf", "degraded", subject, message, { probe: "SUBSZ" })];
}

/** What {@link directToggles} would change, and what it can't, with the reason. */
export interface DirectToggles {
  readonly possible: readonly Reconfiguration[];
  readonly refused: readonly { readonly stream: string; readonly why: string }[];
}

/**
 * The streams whose direct gets are restored by turning them off and on. They need a working leader, so other faults of a
 * stream are fixed first.
 */
export function directToggles(observation: Observation): DirectToggles {
  const { streams, servers } = observation;
  const wanted = (streams.ok ? streams.value : []).filter(
    (stream) => lacksDirect(stream) && stream.leader !== undefined && !isDeaf(stream) && !hasLostNodes(stream),
  );
  const old = servers.filter(({ version }) => !directTogglesOn(version)).map(({ version }) => version);
  const isRefused = ({ replicas, peers }: StreamFacts): boolean => old.length > 0 && (replicas > 1 || peers.length > 0);
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
      why: `${[...new Set(old)].join(", ")} can turn direct gets off and on only for single-replica streams (from 2.9.12 for all): restart the servers one at a time, or upgrade them`,
    })),
  };
}

function lacksDirect({ directGets }: StreamFacts): boolean {
  return directGets?.ok === true && directGets.value.deafOn.length > 0;
}

/**
 * Why no configuration may be updated; undefined if it may. Some versions panic at an update of something without its
 * Raft node.
 * @param updated the names of the streams that would be updated; all of them if absent
 */
export function updateDanger(observation: Observation, updated?: readonly string[]): string | undefined {
  const damaged = allStreams(observation).filter(
    (stream) => hasLostNodes(stream) && (updated?.includes(stream.name) ?? true),
  );
  if (damaged.length === 0) return undefined;
  const objection = updateObjection(observation.servers);
  if (objection === undefined) return undefined;
  return `${damaged.map(({ name }) => name).join(", ")} lost Raft nodes, and ${objection}`;
}

/**
 * The servers on which direct gets of a stream are not all answered, and whose restart would fix that. Does not include
 * mirrors that answer only some of their origin's, because the origin's servers answer all.
 */
export function directDeafOn({ directGets }: StreamFacts): readonly string[] {
  if (directGets?.ok !== true) return [];
  const { deafOn, strayOn = [] } = directGets.value;
  return [...deafOn, ...strayOn.filter((server) => !deafOn.includes(server))];
}
