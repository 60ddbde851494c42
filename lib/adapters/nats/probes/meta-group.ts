import type { Msg, NatsConnection } from "@nats-io/transport-node";
import * as z from "zod";
import {
  isAway,
  type MetaDisagreement,
  type MetaGroup,
  type MetaPeer,
} from "../../../domain/observation/meta-group.ts";
import type { Probe, ServerFacts } from "../../../domain/observation/observation.ts";
import { type Millis, millis } from "../../../domain/time/time.ts";
import { probe, RelightError } from "../../../errors.ts";
import { metaPeer, read, readData, serverInfo } from "../connection/answers.ts";
import { gather, readJson } from "../connection/asking.ts";

const SUBJECT = "$SYS.REQ.SERVER.PING.JSZ";
const NANOS_PER_MILLI = 1_000_000;

const metaCluster = z.looseObject({
  leader: z.string().optional(),
  cluster_size: z.number(),
  replicas: z.array(metaPeer).nullish(),
});

const jszMeta = z.looseObject({ meta_cluster: metaCluster.nullish(), disabled: z.boolean().default(false) });

/** One server's view of its meta group, if it is in one. */
interface View {
  readonly server: string;
  readonly domain: string | undefined;
  readonly jetstream: boolean;
  readonly meta: z.infer<typeof metaCluster> | undefined;
  /** Whether the server has turned its JetStream off, although it is configured. */
  readonly isOff: boolean;
}

/**
 * The meta group of `servers`, which belong to one JetStream domain; undefined for a standalone server. Only the leader's
 * report counts: before 2.11 only the leader lists the peers, and newer followers list them with states they can't know
 * (tested on 2.9.10, 2.10.27, 2.15.1).
 */
export async function metaGroup(
  connection: NatsConnection,
  timeout: Millis,
  servers: readonly ServerFacts[],
): Promise<Probe<MetaGroup | undefined>> {
  const hosts = servers.filter(({ jetstream }) => jetstream);
  if (hosts.length === 0) return { ok: true, value: undefined };
  const domains = new Set(hosts.map(({ domain }) => domain));
  return probe(async () => {
    if (domains.size > 1) throw severalDomains(domains);
    const [domain] = domains;
    const known = new Map<Msg, View>();
    const seen = (answer: Msg): View => {
      const view = known.get(answer) ?? viewOf(answer);
      known.set(answer, view);
      return view;
    };
    const viewsOf = (answers: readonly Msg[]) =>
      answers.map(seen).filter((view) => view.jetstream && view.domain === domain);
    const enough = (answers: readonly Msg[]) => isComplete(viewsOf(answers), hosts.length);
    return judge(viewsOf(await gather(connection, SUBJECT, "{}", { timeout, enough })), hosts);
  });
}

function severalDomains(domains: ReadonlySet<string | undefined>): RelightError {
  const names = [...domains]
    .map((domain) => domain ?? "(no name)")
    .sort()
    .join(", ");
  return new RelightError("nats.bad_answer", `there are several domains, each with its own meta group: ${names}`);
}

function viewOf(message: Msg): View {
  const answer = readJson(message);
  const { server } = read(z.looseObject({ server: serverInfo }), answer, "JSZ");
  const { meta_cluster: meta, disabled: isOff } = readData(jszMeta, answer, "JSZ");
  const { name, domain, jetstream } = server;
  return { server: name, domain: domain || undefined, jetstream, meta: meta ?? undefined, isOff };
}

const isLeader = ({ server, meta }: View): boolean => meta?.leader === server;

/** Whether the leader and all members that it hears have answered; without a leader, all servers. */
function isComplete(views: readonly View[], hosts: number): boolean {
  if (views.length >= hosts) return true;
  const leader = views.find(isLeader);
  const names = new Set(views.map(({ server }) => server));
  return leader?.meta?.replicas?.every((peer) => names.has(peer.name) || isAway(peerOf(peer))) ?? false;
}

function judge(views: readonly View[], hosts: readonly ServerFacts[]): MetaGroup | undefined {
  const members = views.filter(({ meta }) => meta !== undefined);
  if (members.length === 0) return assertAlone(views, hosts);
  const leader = members.find(isLeader);
  const size = Math.max(...members.map(({ meta }) => meta?.cluster_size ?? 0));
  const off = views.filter(({ isOff }) => isOff).map(({ server }) => server);
  if (leader !== undefined) return { ...ledBy(leader, members, size), ...(off.length === 0 ? {} : { off }) };
  const named = members.find(({ meta }) => meta?.leader)?.meta?.leader;
  if (named === undefined) return { size, peers: [] };
  throw new RelightError("nats.timeout", `the meta leader ${named} does not answer ${SUBJECT}`);
}

/** If no server reports a group, there is none only if all servers answered and none is in a cluster. */
function assertAlone(views: readonly View[], hosts: readonly ServerFacts[]): undefined {
  if (views.length < hosts.length)
    throw new RelightError("nats.timeout", `${views.length} of ${hosts.length} servers answered ${SUBJECT}`);
  const clustered = hosts.find(({ topology }) => topology !== "standalone" && topology !== "leaf");
  if (clustered === undefined) return undefined;
  throw new RelightError("nats.bad_answer", `${clustered.name} is in a cluster but reports no meta group`);
}

function ledBy({ server, meta }: View, members: readonly View[], size: number): MetaGroup {
  const replicas = (meta?.replicas ?? []).filter(({ name }) => name !== server);
  const disagreeing = members.filter((view) => view.meta?.leader !== server).map(disagreementOf);
  return {
    leader: server,
    size,
    peers: replicas.map(peerOf),
    ...(disagreeing.length === 0 ? {} : { disagreeing }),
  };
}

function disagreementOf({ server, meta }: View): MetaDisagreement {
  return { server, ...(meta?.leader ? { leader: meta.leader } : {}) };
}

export function peerOf({ name, current, offline, active }: z.infer<typeof metaPeer>): MetaPeer {
  const heard = active > 0 ? { activeAgoMillis: millis(Math.round(active / NANOS_PER_MILLI)) } : {};
  return { name, current, offline, ...heard };
}
