import { isAccountId } from "../claims/account.ts";
import type { AccountClaims } from "../claims/claims.ts";
import { loaded } from "../claims/claims-in-force.ts";
import { allStreams } from "../observation/domains.ts";
import type { Probe } from "../observation/observation.ts";
import { bySeverity, type Check } from "./checks.ts";
import {
  accountNameChecks,
  exportChecks,
  leafnodeLimitChecks,
  revocationChecks,
  sizeChecks,
} from "./checks-accounts.ts";
import { type ExporterOf, importChecks } from "./checks-imports.ts";
import { domainChecks, leafnodeChecks } from "./checks-leafnodes.ts";
import { metaChecks } from "./checks-meta.ts";
import { serverListChecks, smallestPayload, vitalsChecks } from "./checks-servers.ts";
import { streamChecks } from "./checks-streams.ts";
import type { AccountHealth, ClusterFacts } from "./layers-facts.ts";
import type { ServerCheckup } from "./vitals.ts";

/** Everything that the checks look at. */
export type CheckedFacts = Pick<ClusterFacts, "servers" | "meta" | "accounts"> & {
  readonly checkups: readonly ServerCheckup[];
  readonly systemAccount?: string;
};

/** The checks of a whole cluster, most severe first. What could not be seen leads to no check. */
export function clusterChecks(facts: CheckedFacts): readonly Check[] {
  const { checkups, meta, systemAccount } = facts;
  const accounts = facts.accounts.ok ? facts.accounts.value : [];
  const servers = facts.servers.ok ? facts.servers.value.servers.map(({ server }) => server) : [];
  const streams = accounts.flatMap(({ observation }) => allStreams(observation));
  const exporterOf = exporterAmong(facts.accounts);
  const claimed = accounts.map(claimedBy);
  const smallest = smallestPayload(checkups);
  return bySeverity([
    ...serverListChecks(servers),
    ...vitalsChecks(checkups),
    ...metaChecks(meta, streams),
    ...domainChecks(servers, meta),
    ...leafnodeChecks(checkups),
    ...accountNameChecks(claimed),
    ...claimed.flatMap((one) => sizeChecks(one, smallest)),
    ...accounts.flatMap((account) => accountChecks(account, exporterOf)),
    ...(accounts.every(isKnown) ? exportChecks(claimed, systemAccount) : []),
  ]);
}

/** The checks of one account alone, as `verify` shows them. */
export function accountChecks(account: AccountHealth, exporterOf: ExporterOf): readonly Check[] {
  const { name, observation } = account;
  const claimed = claimedBy(account);
  return bySeverity([
    ...importChecks({ ...claimed, observation }, exporterOf),
    ...revocationChecks(claimed),
    ...leafnodeLimitChecks(claimed, observation),
    ...allStreams(observation).flatMap((stream) => streamChecks(name, stream)),
  ]);
}

const claimedBy = ({ name, claims }: AccountHealth) => ({
  name,
  ...(claims === undefined ? {} : { claims: claims.claims, text: claims.text }),
});

/** Whether the account's claims are known, or it is known to have none: nobody has it any more. */
function isKnown({ claims, observation }: AccountHealth): boolean {
  const { stored, running } = observation;
  if (claims !== undefined) return true;
  return stored.ok && stored.value === undefined && running.ok && loaded(observation).length === 0;
}

/** An account that is not among all accounts is one that nobody knows. */
function exporterAmong(accounts: Probe<readonly AccountHealth[]>): ExporterOf {
  if (!accounts.ok) return () => accounts;
  const known = new Map<string, AccountHealth>(accounts.value.map((one) => [one.account, one]));
  return (id): Probe<AccountClaims | undefined> => {
    const found = known.get(id);
    if (found === undefined || !isAccountId(id)) return { ok: true, value: undefined };
    if (isKnown(found)) return { ok: true, value: found.claims?.claims };
    return { ok: false, code: "claims.unreadable", message: "its claims are unknown" };
  };
}
