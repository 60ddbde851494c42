import pMap from "p-map";
import { type Group, nameOfGroup } from "../../../domain/ladder/step-down.ts";
import type { Unheld } from "../../../domain/observation/observation.ts";
import { defined } from "../../../domain/time/defined.ts";
import { type Millis, millis } from "../../../domain/time/time.ts";
import { probe } from "../../../errors.ts";
import { apiList, type ListEntry, read } from "../connection/answers.ts";
import { AT_ONCE } from "../connection/in-flight.ts";
import { groupBy } from "../connection/told.ts";
import { askingApi, consumerNames, type ListSettings, streamNames } from "../probes/lists.ts";

/** What servers hold of the account, as they tell of it themselves; by {@link nameOfGroup}. */
export type Holdings = ReadonlySet<string>;

export interface Inquiry {
  /** What servers held before the names were asked. */
  readonly held: Holdings;
  /** Asks the servers again. */
  readonly heldNow: () => Promise<Holdings>;
  /** How many consumers the account has, as it was told. */
  readonly consumers: number;
  /** `silent`: a server is away that the meta leader has not given up. `given-up`: it has. `none`: all answer. */
  readonly away: "none" | "given-up" | "silent";
}

/** A list asks the servers themselves, and answers at once if none of those is waited for. */
const LIST_PATIENCE = millis(2_000);

/**
 * Streams and consumers of the cluster's metadata that no server holds. Names come from the metadata alone, whoever
 * answers; infos and lists wait for who holds it. What was made or deleted meanwhile is none of them: it has to be in
 * the metadata before and after the servers are asked.
 */
export async function findUnheld(
  settings: ListSettings,
  names: ReadonlySet<string>,
  { held, heldNow, consumers, away }: Inquiry,
): Promise<readonly Unheld[]> {
  const streams = [...names].filter((stream) => !held.has(stream));
  const known = [...held].filter((name) => name.includes(" > ")).length;
  // The numbers agree and everybody answers: nothing can be missing, and each stream need not be asked about.
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
  return left.filter(
    ({ stream, consumer }) => consumer === undefined || (named.get(stream)?.has(consumer) ?? false),
  );
}

/**
 * Of what it has given up the meta leader gives the configuration and the servers that hold it, in its lists. While a
 * server is waited for, the answer takes four seconds, and says nothing of it.
 */
async function describe(
  settings: ListSettings,
  groups: readonly Group[],
  away: Inquiry["away"],
): Promise<readonly Unheld[]> {
  const byList = [...groupBy(groups, listOf)];
  const patience = millis(Math.min(settings.timeout, LIST_PATIENCE));
  const described = await pMap(
    byList,
    async ([subject, members]) => {
      const list = away === "silent" ? undefined : await givenUp(settings, subject, patience);
      return describeAll(members, list);
    },
    { concurrency: AT_ONCE },
  );
  return described.flat();
}

const listOf = ({ stream, consumer }: Group): string =>
  consumer === undefined ? "$JS.API.STREAM.LIST" : `$JS.API.CONSUMER.LIST.${stream}`;

/** An ephemeral consumer that no server tells of has no name there. */
function describeAll(groups: readonly Group[], list: GivenUp | undefined): readonly Unheld[] {
  const told = groups.map(({ stream, consumer }) => list?.named.get(consumer ?? stream));
  const nameless = told.filter((one) => one === undefined).length;
  const areEphemeral = list !== undefined && nameless <= list.nameless;
  return groups.map(({ stream, consumer }, index) => ({
    stream,
    holders: told[index]?.holders ?? [],
    ...defined({ consumer }),
    ...(consumer !== undefined && told[index] === undefined && areEphemeral ? { durable: false } : {}),
    ...told[index],
  }));
}

/** What a list tells of those that no server answered for. */
interface GivenUp {
  readonly named: ReadonlyMap<string, Pick<Unheld, "holders" | "replicas" | "durable">>;
  /** How many have no name. */
  readonly nameless: number;
}

/** Undefined where the list did not come in time, or not whole. */
async function givenUp(
  { connection }: ListSettings,
  subject: string,
  timeout: Millis,
): Promise<GivenUp | undefined> {
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
  const told = entries.flatMap(toldOf);
  return { named: new Map(told), nameless: entries.filter((entry) => toldOf(entry).length === 0).length };
}

function toldOf({ name: own, config, cluster }: ListEntry) {
  const name = own || config.durable_name || config.name;
  if (!name) return [];
  const { num_replicas: replicas } = config;
  const holders = (cluster?.replicas ?? []).map((peer) => peer.name).sort();
  const durable = Boolean(config.durable_name);
  return [[name, { holders, durable, ...(replicas ? { replicas } : {}) }] as const];
}
