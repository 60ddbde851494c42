import pMap from "p-map";
import type { AccountId } from "../../domain/claims/account.ts";
import { typedNames } from "../../domain/claims/inventory.ts";
import { type CheckedFacts, clusterChecks } from "../../domain/doctor/all-checks.ts";
import { type Check, confirmed } from "../../domain/doctor/checks.ts";
import { judgeLayers } from "../../domain/doctor/layers.ts";
import {
  isEmptiedByRestart,
  isExpiredWithAssets,
  isNotStored,
  keepsServersFromStarting,
} from "../../domain/doctor/layers-accounts.ts";
import type { AccountHealth, ClusterFacts, Layer } from "../../domain/doctor/layers-facts.ts";
import type { Probe, ServerFacts } from "../../domain/observation/observation.ts";
import type { ServersHealth } from "../../domain/observation/server-health.ts";
import { defined } from "../../domain/time/defined.ts";
import { type Defect, defectsOf } from "../../domain/verdict/defects.ts";
import { type Health, type Warning, worst } from "../../domain/verdict/verdict.ts";
import { asRelightError } from "../../errors.ts";
import type { Monitoring } from "../../ports/cluster.ts";
import type { Context } from "../context/context.ts";
import { waitUntil } from "../context/wait-until.ts";
import { takeInventory } from "../observe/inventory.ts";
import { lookBriefly } from "../observe/look-twice.ts";

/** The result of `relight doctor` for a cluster, without side effects. */
export interface Diagnosis {
  readonly verdict: Health;
  readonly layers: readonly Layer[];
  /** What else one look saw, most severe first. Changes no layer; critical ones count for the exit code. */
  readonly checks: readonly Check[];
  /** Names of the accounts because of which no server must be restarted now. */
  readonly doNotRestart: readonly string[];
  /** Those among them with whose claims no server can start. */
  readonly noServerWouldStart: readonly string[];
  /** Those among them that a restarted server would not know, because the resolver lacks their JWT. */
  readonly notStored: readonly string[];
  /** Those among them with streams that a server would empty when it starts. */
  readonly emptied: readonly string[];
  /** Servers whose full `/healthz` fails, with their messages. A probe on it would restart them. */
  readonly healthz: readonly { readonly where: string; readonly message: string }[];
  readonly versions: readonly VersionDefects[];
  /** Where each server takes account JWTs from; absent if unknown. */
  readonly resolvers: readonly Pick<ServerFacts, "name" | "resolver">[];
  /** The accounts' warnings, which change no layer. */
  readonly warnings: readonly (Pick<Warning, "code" | "message"> & { readonly about: string })[];
}

export interface VersionDefects {
  readonly version: string;
  readonly servers: readonly string[];
  readonly defects: readonly Defect[];
}

export interface Doctor extends Pick<Context, "clock" | "timing"> {
  /** Opens the connection. @throws RelightError `nats.*`, which makes every layer unknown. */
  readonly context: () => Promise<Context>;
  readonly configured: readonly AccountId[];
  readonly monitoring: Monitoring;
}

/** As many as requests may be in flight. */
const ACCOUNTS_AT_ONCE = 16;

/**
 * Checks every layer of the cluster's health, cheapest first. Looks again at a dead layer, because an election looks dead
 * for a moment, and at what a critical check is about.
 * @throws RelightError for faults of the configuration or its secrets, never for a faulty cluster.
 */
export async function diagnose(doctor: Doctor): Promise<Diagnosis> {
  const first = await lookOnce(doctor);
  let seen = first.diagnosis;
  const isSettled = (): boolean => seen.verdict !== "dead" || seen.doNotRestart.length > 0;
  const critical = seen.checks.filter(({ severity }) => severity === "critical");
  if (isSettled() && critical.length === 0) return seen;
  const kept = isSettled() ? unconcerned(first.accounts, critical) : [];
  const lookAgain = async (): Promise<boolean> => {
    const { diagnosis } = await lookOnce(doctor, kept);
    seen = { ...diagnosis, checks: confirmed(first.diagnosis.checks, diagnosis.checks) };
    return isSettled();
  };
  await waitUntil(doctor.clock, lookAgain, { ...doctor.timing.doctorConfirms, atOnce: false });
  return seen;
}

/** The accounts that no critical check is about, neither as the account nor as the exporter that it imports from. */
function unconcerned(accounts: readonly AccountHealth[], critical: readonly Check[]): readonly AccountHealth[] {
  const concerned = new Set(critical.flatMap(({ about, evidence }) => [about.account, evidence["exporter"]]));
  return accounts.filter(({ account, name }) => !concerned.has(name) && !concerned.has(account));
}

interface Looked {
  readonly diagnosis: Diagnosis;
  readonly accounts: readonly AccountHealth[];
}

/** @param kept accounts that need no other look */
async function lookOnce(
  { context, configured, monitoring }: Doctor,
  kept: readonly AccountHealth[] = [],
): Promise<Looked> {
  const [cluster, seen] = await Promise.all([lookAtCluster(context, configured, kept), monitoring.check()]);
  const facts = { ...cluster, monitoring: seen };
  const layers = judgeLayers(facts);
  const accounts = facts.accounts.ok ? facts.accounts.value : [];
  const diagnosis = {
    verdict: worst(layers.map(({ verdict }) => verdict)),
    layers,
    checks: clusterChecks(facts),
    doNotRestart: accounts
      .filter((account) =>
        [isExpiredWithAssets, keepsServersFromStarting, isNotStored, isEmptiedByRestart].some((harms) =>
          harms(account),
        ),
      )
      .map(({ name }) => name),
    noServerWouldStart: accounts.filter(keepsServersFromStarting).map(({ name }) => name),
    notStored: accounts.filter(isNotStored).map(({ name }) => name),
    emptied: accounts.filter(isEmptiedByRestart).map(({ name }) => name),
    healthz: failingHealthz(facts),
    versions: versionsOf(facts.servers),
    resolvers: serversOf(facts.servers).map(({ name, resolver }) => ({ name, ...defined({ resolver }) })),
    warnings: accounts.flatMap(({ name: about, verdict }) =>
      verdict.warnings.map(({ code, message }) => ({ about, code, message })),
    ),
  };
  return { diagnosis, accounts };
}

type Seen = Omit<ClusterFacts, "monitoring"> & CheckedFacts;

async function lookAtCluster(
  open: Doctor["context"],
  configured: readonly AccountId[],
  kept: readonly AccountHealth[],
): Promise<Seen> {
  const opened = await attempt(open);
  if (!opened.ok) return { servers: opened, meta: [], accounts: opened, checkups: [] };
  const { probes, operator } = opened.value;
  const servers = await attempt(() => probes.health());
  const checkups = await attempt(() => probes.checkup());
  const domains = new Set(
    servers.ok ? servers.value.servers.filter(({ server }) => server.jetstream).map(({ server }) => server.domain) : [],
  );
  const meta = await pMap(domains, async (domain) => ({
    ...defined({ domain }),
    meta: await settle(() => probes.meta(domain)),
  }));
  const accounts = await attempt(() => lookAtAccounts(opened.value, configured, kept));
  const { systemAccount } = operator;
  return { servers, meta, accounts, checkups: checkups.ok ? checkups.value : [], ...defined({ systemAccount }) };
}

async function lookAtAccounts(
  context: Context,
  configured: readonly AccountId[],
  kept: readonly AccountHealth[],
): Promise<readonly AccountHealth[]> {
  const names = typedNames(await takeInventory(context, configured));
  const known = new Map(kept.map((health) => [health.account, health]));
  return pMap(
    [...names],
    async ([account, name]): Promise<AccountHealth> => {
      const before = known.get(account);
      if (before !== undefined) return before;
      const { observation, verdict, claims } = await lookBriefly(context, account);
      return { account, name, observation, verdict, ...defined({ claims }) };
    },
    { concurrency: ACCOUNTS_AT_ONCE },
  );
}

/** An unreachable cluster is part of the result; a fault of the configuration is an error. */
async function attempt<T>(work: () => Promise<T>): Promise<Probe<T>> {
  return settle(async () => ({ ok: true, value: await work() }));
}

async function settle<T>(work: () => Promise<Probe<T>>): Promise<Probe<T>> {
  try {
    return await work();
  } catch (thrown) {
    const { code, message } = asRelightError(thrown);
    if (!code.startsWith("nats.")) throw thrown;
    return { ok: false, code, message };
  }
}

function failingHealthz({ servers, monitoring }: ClusterFacts): Diagnosis["healthz"] {
  const asked = servers.ok ? servers.value.servers : [];
  const all = [
    ...asked.map(({ server, checks }) => ({ where: server.name, full: checks.full })),
    ...monitoring.map(({ url, checks }) => ({ where: url, full: checks.full })),
  ];
  return all.flatMap(({ where, full }) => {
    if (!full.ok || full.value.ok) return [];
    return [{ where, message: full.value.message }];
  });
}

const serversOf = (servers: Probe<ServersHealth>): readonly ServerFacts[] =>
  servers.ok ? servers.value.servers.map(({ server }) => server) : [];

function versionsOf(servers: Probe<ServersHealth>): readonly VersionDefects[] {
  const facts = serversOf(servers);
  const versions = [...new Set(facts.map(({ version }) => version))].sort();
  return versions.map((version) => {
    const names = facts.filter((server) => server.version === version).map(({ name }) => name);
    return { version, servers: names, defects: defectsOf(version) };
  });
}
