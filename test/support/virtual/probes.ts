import type { AccountId, Expectations } from "../../../lib/domain/claims/account.ts";
import { BEAT_GAP, hidesCopies } from "../../../lib/domain/observation/deafness.ts";
import type { MetaGroup } from "../../../lib/domain/observation/meta-group.ts";
import type {
  ConsumerFacts,
  HostedStream,
  Observation,
  OriginFacts,
  Probe,
  RunningAccount,
  ServerFacts,
  StreamFacts,
} from "../../../lib/domain/observation/observation.ts";
import { defined } from "../../../lib/domain/time/defined.ts";
import { isJsonObject } from "../../../lib/domain/time/json.ts";
import { epochMillis, millis } from "../../../lib/domain/time/time.ts";
import { probe } from "../../../lib/errors.ts";
import type { Clock } from "../../../lib/ports/clock.ts";
import type { Probes } from "../../../lib/ports/cluster.ts";
import type { Resolver } from "../../../lib/ports/resolver.ts";
import { accountView } from "./account-view.ts";
import type { Link } from "./link.ts";
import type { Machines, VirtualServer } from "./machines.ts";
import type { RaftGroup } from "./raft-group.ts";
import type { VirtualConsumer, VirtualStream } from "./stream.ts";

/** What a virtual cluster reports to a look, in the real adapter's words. */
export function virtualProbes(
  machines: Machines,
  link: Link,
  { clock, resolver }: { readonly clock: Clock; readonly resolver: Resolver },
): Probes {
  const factsOf = (server: VirtualServer): ServerFacts => ({
    id: server.id,
    name: server.name,
    version: server.version,
    jetstream: server.jetstream,
    tags: server.tags,
    clockSkew: server.skew,
    ...(machines.isClustered ? { cluster: "C1" } : {}),
    topology: machines.isClustered ? "clustered" : "standalone",
    resolver: machines.faults.resolver,
    ...(machines.faults.resolver === "memory-or-url" ? { configuredAt: epochMillis(server.since) } : {}),
  });
  const facts = (): readonly ServerFacts[] => link.known.map(factsOf);

  async function observe(
    account: AccountId,
    accountKey?: string,
    expected?: Expectations,
    listens = true,
  ): Promise<Observation> {
    await link.ask();
    const [stored, running, meta] = await Promise.all([
      probe(() => resolver.lookup(account)),
      probe(() => resolver.running(account)),
      probe(metaNow),
    ]);
    const able = hosts(link.known, running);
    const streams = await probe(async () => {
      await link.askEach(able, "JSZ");
      return streamsOf(account, able);
    });
    const view = await accountView(machines, link, { account, accountKey, running, streams, meta, expected });
    return {
      account,
      at: clock.now(),
      servers: facts(),
      stored,
      running,
      streams: streams.ok && listens ? await listened(streams.value) : streams,
      elsewhere: { ok: true, value: [] },
      leafnodes: { ok: true, value: [] },
      accountView: view,
      meta,
      capacities: await probe(async () => able.map((server) => machines.capacityOf(server))),
    };
  }

  function streamsOf(account: AccountId, able: readonly VirtualServer[]): readonly StreamFacts[] {
    const asked = able.map(({ name }) => name);
    return [...machines.streamsOf(account).values()]
      .sort((one, other) => (one.name < other.name ? -1 : 1))
      .flatMap((stream) => streamFacts(machines, account, stream, asked));
  }

  /** Copies are observed for as long as two heartbeats take, if everything else is healthy. */
  async function listened(streams: readonly StreamFacts[]): Promise<Probe<readonly StreamFacts[]>> {
    const isCopy = ({ origins }: StreamFacts): boolean => origins.ok && origins.value.length > 0;
    if (!streams.some(isCopy) || streams.some(hidesCopies)) return { ok: true, value: streams };
    await link.wait(2 * BEAT_GAP);
    return { ok: true, value: streams.map(withReadings) };
  }

  async function metaNow(): Promise<MetaGroup | undefined> {
    await link.ask();
    return metaGroup(machines);
  }

  return {
    servers: async () => {
      await link.ask();
      return facts();
    },
    meta: () => probe(metaNow),
    health: async () => {
      await link.ask();
      const ok = { ok: true, value: { ok: true, message: "ok" } } as const;
      const servers = facts().map((server) => ({
        server,
        checks: { enabledOnly: ok, serverOnly: ok, full: ok },
      }));
      return { expected: machines.servers.length, servers };
    },
    observe,
    accounts: () =>
      probe(async () => {
        await link.askEach(link.known, "ACCOUNTZ");
        return [...new Set(link.known.flatMap(({ accounts }) => [...accounts.keys()]))];
      }),
    hosted: (withConsumers = false) =>
      probe(async () => {
        const able = link.known.filter(({ jetstream }) => jetstream);
        await link.askEach(able, "JSZ");
        return machines
          .accountsWithStreams()
          .flatMap((account) =>
            [...machines.streamsOf(account).values()].flatMap((stream) =>
              hostedStreams(machines, account, stream, withConsumers),
            ),
          );
      }),
    deletions: async (account) => {
      await link.ask();
      const { asked, stop } = machines.listen(account);
      return {
        has: ({ stream, consumer }) =>
          asked.has(stream) || asked.has(consumer === undefined ? stream : `${stream} > ${consumer}`),
        [Symbol.asyncDispose]: async () => stop(),
      };
    },
    trust: async () => {
      await link.ask();
      return link.known.map(({ name }) => ({ server: name, operators: [machines.operator] }));
    },
    checkup: async () => {
      await link.ask();
      return [];
    },
    capacity: () =>
      probe(async () => {
        const able = link.known.filter(({ jetstream }) => jetstream);
        await link.askEach(able, "JSZ");
        return able.map((server) => machines.capacityOf(server));
      }),
  };
}

/** The servers that can have streams of the account: those with JetStream that have it loaded. */
function hosts(servers: readonly VirtualServer[], running: Probe<readonly RunningAccount[]>): readonly VirtualServer[] {
  const without = running.ok ? running.value.filter((entry) => !entry.loaded || !entry.jetstream) : [];
  const names = new Set(without.map(({ server }) => server));
  return servers.filter(({ name, jetstream }) => jetstream && !names.has(name));
}

/** A stream as the asked servers report it; nothing if none of them has it. */
function streamFacts(
  machines: Machines,
  account: AccountId,
  stream: VirtualStream,
  asked: readonly string[],
): StreamFacts[] {
  const reported = stream.group.report(asked);
  if (reported === undefined) return [];
  const { name, config, storage, replicas, messages, bytes, firstSeq, lastSeq, lastAt, created, forgotten } = stream;
  const subjects = (config["subjects"] as readonly string[] | undefined) ?? [];
  const heard = heardBy(machines, stream.group, reported.leader);
  const deafSubjects: StreamFacts["deafSubjects"] = heard.ok
    ? { ok: true, value: heard.value ? [] : subjects }
    : subjects.length === 0
      ? { ok: true, value: [] }
      : heard;
  const consumers = [...stream.consumers.values()]
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap((consumer) => consumerFacts(machines, consumer, asked));
  const facts = {
    name,
    subjects,
    config,
    storage,
    replicas,
    ...reported,
    messages,
    bytes,
    firstSeq,
    lastSeq,
    created,
    lastAt,
    flatOn: machines.flatOn(account).filter((server) => asked.includes(server) && stream.group.holders.has(server)),
  };
  const missing = new Set(reported.nodeMissingOn);
  const current = stream.group.members.filter(
    (member) => !missing.has(member) && asked.includes(member) && stream.group.isCurrent(member),
  );
  const directGets = {
    heardOn: current.filter((member) => stream.direct.has(member)),
    deafOn: current.filter((member) => !stream.direct.has(member)),
  };
  return [
    {
      ...facts,
      origins: originsOf(machines, account, stream, reported.leader === reported.reportedBy),
      deafSubjects,
      ...(stream.allowsDirect ? { directGets: { ok: true, value: directGets } as const } : {}),
      consumers,
      forgotten: forgotten.filter(({ server }) => asked.includes(server)),
    },
  ];
}

function consumerFacts(
  machines: Machines,
  { name, config, storage, durable, created, ackFloor, group }: VirtualConsumer,
  asked: readonly string[],
): ConsumerFacts[] {
  const reported = group.report(asked);
  if (reported === undefined) return [];
  const heard = heardBy(machines, group, reported.leader);
  const deliveries = reported.leader === reported.reportedBy ? { deliveries: NO_DELIVERIES } : {};
  return [{ name, config, storage, durable, ...reported, created, ackFloor, heard, ...deliveries }];
}

/** Nobody fetches in a virtual cluster. */
const NO_DELIVERIES = { ackPending: 0, redelivered: 0, waiting: 0, bound: false };

/**
 * Whether JetStream listens on the server that leads it. A server that lost its node calls itself leader, and does not.
 */
function heardBy(machines: Machines, group: RaftGroup, leader: string | undefined): Probe<boolean> {
  if (leader === undefined) return { ok: false, code: "nats.timeout", message: "it has no leader" };
  if (!machines.server(leader).isUp)
    return { ok: false, code: "nats.timeout", message: `its leader ${leader} does not answer` };
  return { ok: true, value: group.isHeard };
}

function metaGroup({ meta, servers, timeline }: Machines): MetaGroup | undefined {
  if (meta === undefined) return undefined;
  const size = meta.members.length;
  if (meta.leader === undefined || !meta.isLed) return { size, peers: [] };
  const peers = servers
    .filter(({ name }) => meta.members.includes(name) && name !== meta.leader)
    .map(({ name, isUp, since }) => {
      const silent = isUp ? 300 : timeline.now() - since + 300;
      return {
        name,
        current: meta.isCurrent(name),
        offline: silent > 60_000,
        activeAgoMillis: millis(silent),
      };
    });
  return { leader: meta.leader, size, peers };
}

function hostedStreams(
  machines: Machines,
  account: AccountId,
  stream: VirtualStream,
  withConsumers: boolean,
): HostedStream[] {
  const { name, storage, replicas, messages, bytes, created, config, group } = stream;
  return group.members.flatMap((member): HostedStream[] => {
    const server = machines.server(member);
    if (!server.isUp || !group.holders.has(member) || server.accounts.get(account)?.jetstream !== true) return [];
    const isMissing = !group.nodes.has(member);
    const leader = isMissing ? member : group.leader;
    const others = isMissing ? [] : group.members.filter((other) => other !== member);
    const consumers = [...stream.consumers.values()].filter((one) => one.group.holders.has(member));
    return [
      {
        account,
        name,
        server: member,
        storage,
        replicas,
        messages,
        bytes,
        config,
        created,
        ...defined({ leader }),
        peers: others.map((other) => ({ name: other, current: group.isCurrent(other) })),
        ...(isMissing ? { nodeMissing: true } : {}),
        ...(withConsumers ? { consumers: consumers.map((one) => ({ name: one.name, config: one.config })) } : {}),
      },
    ];
  });
}

/** What a stream copies from. It hears an origin again ten seconds after that works. */
function originsOf(
  machines: Machines,
  account: AccountId,
  stream: VirtualStream,
  byLeader: boolean,
): StreamFacts["origins"] {
  const { mirror, sources } = stream.config;
  const all = [...(mirror ? [mirror] : []), ...(Array.isArray(sources) ? sources : [])].filter(isJsonObject);
  if (all.length === 0) return { ok: true, value: [] };
  if (!byLeader) return { ok: false, code: "nats.timeout", message: "its leader does not answer" };
  const value = all.map((config): OriginFacts => {
    const origin = machines.streamsOf(account).get(String(config["name"]));
    const activeAgo = millis(machines.heardOriginAgo(stream, origin));
    return { stream: String(config["name"]), lag: 0, later: [], activeAgo, taken: stream.lastSeq };
  });
  return { ok: true, value };
}

function withReadings(stream: StreamFacts): StreamFacts {
  if (!stream.origins.ok) return stream;
  const value = stream.origins.value.map(({ activeAgo = millis(0), taken, ...origin }) => {
    const lacksHeartbeats = activeAgo > 1_000;
    const reading = (gaps: number) => ({
      activeAgo: lacksHeartbeats ? millis(activeAgo + gaps * BEAT_GAP) : activeAgo,
      ...defined({ taken }),
    });
    return { ...origin, activeAgo, ...defined({ taken }), later: [reading(1), reading(2)] };
  });
  return { ...stream, origins: { ok: true, value } };
}
