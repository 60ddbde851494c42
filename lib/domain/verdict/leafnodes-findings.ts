import type { Expectations, ExpectedLeafnode } from "../claims/account.ts";
import { loaded } from "../claims/claims-in-force.ts";
import type { Operator } from "../claims/operator.ts";
import type { LeafConnection, Observation } from "../observation/observation.ts";
import { failedProbe, finding } from "./findings.ts";
import type { Finding } from "./verdict.ts";

/** The account of a leafnode on a server without an operator, which ignores credentials files. */
const GLOBAL = "$G";

/** The leafnode connections that are bound to the account. */
export function boundTo({ account, leafnodes }: Observation): readonly LeafConnection[] {
  return leafnodes.ok ? leafnodes.value.filter((leaf) => leaf.account === account) : [];
}

/** Expected leafnodes that are not connected, or bound to another account. */
export function leafnodeFindings(
  observation: Observation,
  { leafnodes: expected }: Expectations,
  operator: Operator,
): Finding[] {
  const { leafnodes } = observation;
  if (expected.length === 0) return [];
  if (!leafnodes.ok) return [failedProbe("the leafnode connections", leafnodes)];
  // A leafnode that also joins the system account has a second connection for that.
  const connections = leafnodes.value.filter(({ account }) => account !== operator.systemAccount);
  return expected.flatMap((leaf) => leafnodeFinding(observation, leaf, connections));
}

function leafnodeFinding(
  observation: Observation,
  { name }: ExpectedLeafnode,
  connections: readonly LeafConnection[],
): Finding[] {
  const { account } = observation;
  const own = connections.filter((leaf) => leaf.name === name);
  if (own.some((leaf) => leaf.account === account)) return [];
  const subject = { leafnode: name };
  const [elsewhere] = own;
  if (elsewhere !== undefined) return [wrongAccount(observation, name, elsewhere)];
  const nameless = connections.filter((leaf) => leaf.name === undefined && leaf.account === account);
  const servers = [...new Set(nameless.map(({ server }) => server))].join(", ");
  if (servers !== "") {
    const message = `${servers} (before 2.10) does not report the names of leafnodes`;
    return [failedProbe(`leafnode ${name}`, { code: "nats.bad_answer", message }, subject)];
  }
  return [missing(observation, name)];
}

function wrongAccount({ account }: Observation, leafnode: string, found: LeafConnection): Finding {
  const likely =
    found.account === GLOBAL
      ? "a hub without an operator ignores .creds files: give the leafnode an nkey or a user of the account"
      : "the credentials of its remote decide the account on the hub, and they belong to another account's user";
  const message = `leafnode ${leafnode} is bound to account ${found.account}, not to ${account}: ${likely}`;
  const evidence = { probe: "LEAFZ", bound: found.account, expected: account };
  return finding("leaf.wrong_account", "dead", { server: found.server, leafnode }, message, evidence);
}

function missing(observation: Observation, leafnode: string): Finding {
  const answers = observation.servers.some(({ name }) => name === leafnode);
  const hasExpired = loaded(observation).some(({ expired }) => expired);
  const likely = hasExpired
    ? "the account has expired; the leafnode reconnects once it is renewed"
    : answers
      ? "its server answers through the system account, so only this account's remote is missing or refused: check its `account` and `credentials`"
      : "its server is down or can't reach the hub, its credentials are refused (an NKey seed given as `credentials` never binds), or another leafnode with its name replaces it; run `relight explain` on its log";
  const message = `leafnode ${leafnode} is not connected: ${likely}`;
  return finding("leaf.missing", "dead", { leafnode }, message, { probe: "LEAFZ" });
}
