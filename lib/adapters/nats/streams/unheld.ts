import pMap from "p-map";
import { type Group, nameOfGroup } from "../../../domain/ladder/step-down.ts";
import type { Unheld } from "../../../domain/observation/observation.ts";
import { defined } from "../../../domain/time/defined.ts";
import { type Millis, millis } from "../../../domain/time/time.ts";
import { probe } from "../../../errors.ts";
import { apiList, type ListEntry, read } from "../connection/answers.ts";
import { AT_ONCE } from "../connection/in-flight.ts";
import { groupBy } from "../connection/reports.ts";
import { askingApi, consumerNames, type ListSettings, streamNames } from "../probes/lists.ts";

/** What servers report to hold of the account; by {@link nameOfGroup}. */
export type Holdings = ReadonlySet<string>;

export interface Inquiry {
  /** What servers held before the names were requested. */
  readonly held: Holdings;
  /** Asks the servers again. */
  readonly heldNow: () => Promise<Holdings>;
  /** How many consumers the account has, according to its API. */
  readonly consumers: number;
  /** `silent`: the meta leader has not given up on an absent server yet. `given-up`: it has. `none`: all answer. */
  readonly away: "none" | "given-up" | "silent";
}

/** A list waits for servers; if it waits for none, it answers at once. */
const LIST_TIMEOUT = millis(2_000);

/**
 * Streams and consumers in the cluster's metadata that no server holds. Names come only from the metadata; infos and lists
 * wait for the servers that hold them. To exclude creations and deletions, a name must be in the metadata before and after
 * the servers are asked.
 */
export async function findUnheld(
  settings: ListSettings,
  names: ReadonlySet<string>,
  { held, heldNow, consumers, away }: Inquiry,
): Promise<readonly Unheld[]> {
  const streams = [...names].filter((stream) => !held.has(stream));
  const known = [...held].filter((name) => name.includes(" > ")).length;
  // If the numbers agree and all servers answer, nothing can be missing, so do not ask about each stream.
  const isAsked = away !== "none" || known !== consumers;
  const suspects = [
    ...streams.map((stream): Group => ({ stream })),
    ...(isAsked
      ? await consumersBeyond(
          settings,
          [...names].filter((stream) => held.has(stream)),
          held,
        )
      : []),
  ];
  if (suspects.length === 0) return [];
  const now = await heldNow();
  const left = suspects.filter((group) => !now.has(nameOfGroup(group)));
  const still = await stillNamed(settings, left);
  return describe(settings, still, away);
}

async function consumersBeyond(
  settings: ListSettings,
  streams: readonly string[],
  held: Holdings,
): Promise<readonly Group[]> {
  const found = await pMap(
    streams,
    async (stream) => {
      const names = await consumerNames(settings, stream);
      return [...names].map((consumer): Group => ({ stream, consumer }));
    },
    { concurrency: AT_ONCE },
  );
  return found.flat().filter((group) => !held.has(nameOfGroup(group)));
}

async function stillNamed(settings: ListSettings, groups: readonly Group[]): Promise<readonly Group[]> {
  if (groups.length === 0) return [];
  const streams = await streamNames(settings);
  const left = groups.filter(({ stream }) => streams.has(stream));
  const ofConsumers = [...new Set(left.flatMap(({ stream, consumer }) => (consumer ? [stream] : [])))];
  const named = new Map(
    await pMap(ofConsumers, async (stream) => [stream, await consumerNames(settings, stream)] as const, {
      concurrency: AT_ONCE,
    }),
  );
  return left.filter(({ stream, consumer }) => consumer === undefined || (named.get(stream)?.has(consumer) ?? false));
}

/**
 * For servers that it has given up on, the meta leader's lists contain the configurations and servers. While it still waits
 * for a server, the answer takes four seconds and lacks them.
 */
async function describe(
  settings: ListSettings,
  groups: readonly Group[],
  away: Inquiry["away"],
): Promise<readonly Unheld[]> {
  const byList = [...groupBy(groups, listOf)];
  const bound = millis(Math.min(settings.timeout, LIST_TIMEOUT));
  const described = await pMap(
    byList,
    async ([subject, members]) => {
      const list = away === "silent" ? undefined : await givenUp(settings, subject, bound);
      return describeAll(members, list);
    },
    { concurrency: AT_ONCE },
  );
  return described.flat();
}

const listOf = ({ stream, consumer }: Group): string =>
  consumer === undefined ? "$JS.API.STREAM.LIST" : `$JS.API.CONSUMER.LIST.${stream}`;

/** An ephemeral consumer that no server reports has no name there. */
function describeAll(groups: readonly Group[], list: GivenUp | undefined): readonly Unheld[] {
  const reported = groups.map(({ stream, consumer }) => list?.named.get(consumer ?? stream));
  const nameless = reported.filter((one) => one === undefined).length;
  const areEphemeral = list !== undefined && nameless <= list.nameless;
  return groups.map(({ stream, consumer }, index) => ({
    stream,
    holders: reported[index]?.holders ?? [],
    ...defined({ consumer }),
    ...(consumer !== undefined && reported[index] === undefined && areEphemeral ? { durable: false } : {}),
    ...reported[index],
  }));
}

/** The part of a list about entries that no server answered for. */
interface GivenUp {
  readonly named: ReadonlyMap<string, Pick<Unheld, "holders" | "replicas" | "durable">>;
  /** How many have no name. */
  readonly nameless: number;
}

/** Undefined if the list did not arrive in time or is incomplete. */
async function givenUp({ connection }: ListSettings, subject: string, timeout: Millis): Promise<GivenUp | undefined> {
  const askApi = askingApi({ connection, timeout }, subject);
  const entries: ListEntry[] = [];
  const asked = await probe(async () => {
    for (let offset = 0, total = 1; offset < total; ) {
      const page = read(apiList, await askApi({ offset }), subject);
      const more = [...(page.streams ?? []), ...(page.consumers ?? [])];
      entries.push(...more);
      total = page.total;
      offset += Math.max(1, page.limit ?? more.length);
    }
  });
  if (!asked.ok) return undefined;
  const reported = entries.flatMap(namesIn);
  return { named: new Map(reported), nameless: entries.filter((entry) => namesIn(entry).length === 0).length };
}

function namesIn({ name: own, config, cluster }: ListEntry) {
  const name = own || config.durable_name || config.name;
  if (!name) return [];
  const { num_replicas: replicas } = config;
  const holders = (cluster?.replicas ?? []).map((peer) => peer.name).sort();
  const durable = Boolean(config.durable_name);
  return [[name, { holders, durable, ...(replicas ? { replicas } : {}) }] as const];
}
