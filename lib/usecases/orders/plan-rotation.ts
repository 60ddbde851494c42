import pMap from "p-map";
import type { AccountId } from "../../domain/claims/account.ts";
import type { AccountClaims } from "../../domain/claims/claims.ts";
import type { ServerResolver } from "../../domain/claims/resolver-kind.ts";
import { UNCOUNTABLE } from "../../domain/expiry/expiry.ts";
import {
  type KeyChange,
  type Obstacles,
  obstacles,
  planWaves,
  type RotationAccount,
  type WavePlan,
} from "../../domain/keys/key-rotation.ts";
import { isCountable } from "../../domain/time/time.ts";
import { probe } from "../../errors.ts";
import type { DecodedJwt } from "../../ports/keys.ts";
import { type Context, nameOf } from "../context/context.ts";
import { loadedAccounts } from "../observe/inventory.ts";
import { listedIn } from "../observe/stored.ts";

const ACCOUNTS_AT_ONCE = 4;

export interface RotationOrder extends KeyChange {
  readonly configured: readonly AccountId[];
  /** How many accounts to sign before all of them are checked again. */
  readonly wave: number;
  readonly includeSystem: boolean;
  /** Called before each account, and before each check of a whole wave. */
  readonly onProgress: (line: string) => void;
}

/** The accounts that the old key signs, and the reasons against replacing it. */
export interface RotationPlan extends WavePlan, Obstacles {
  /** Accounts with an unknown signer, and why. While there are any, the old key must not be removed. */
  readonly unknown: readonly { readonly account: string; readonly problem: string }[];
}

/** Finds the accounts that the old key signs, without side effects. @throws RelightError `nats.*` */
export async function planRotation(context: Context, order: RotationOrder): Promise<RotationPlan> {
  const trust = await context.probes.trust();
  const blocked = obstacles(order, trust, context.operator, (await context.signer?.())?.publicKey);
  const { holders, unknown } = await holdersOf(context, order);
  const { wave: size, includeSystem } = order;
  const { systemAccount } = context.operator;
  const forgetting = forgettingServers(await context.probes.servers());
  const problems = [...blocked.problems, ...forgetting.problems];
  const advice = [...blocked.advice, ...forgetting.advice];
  return { ...planWaves(holders, { size, includeSystem, systemAccount }), problems, advice, unknown };
}

/** Servers that come back from a restart with JWTs signed by the old key, which they may no longer trust then. */
function forgettingServers(servers: readonly ServerResolver[]): Obstacles {
  const names = servers.filter(({ resolver }) => resolver === "memory-or-url").map(({ name }) => name);
  if (names.length === 0) return { problems: [], advice: [] };
  return {
    problems: [`${names.join(", ")}: a MEMORY or URL resolver does not keep JWTs that Relight signs`],
    advice: ["Sign the JWTs in resolver_preload, or those that the resolver's URL serves, with the new key (nsc)."],
  };
}

interface Holders {
  readonly holders: readonly RotationAccount[];
  readonly unknown: RotationPlan["unknown"];
}

/** Every account for which the resolver holds, or a server runs, a JWT signed by the old key. */
async function holdersOf(context: Context, { from, configured }: RotationOrder): Promise<Holders> {
  const stored = new Map<AccountId, DecodedJwt | undefined>(configured.map((id) => [id, undefined]));
  const unread = new Map<string, string>();
  for await (const entry of listedIn(context.resolver)) {
    if (entry.ok) stored.set(entry.jwt.document.claims.sub, entry.jwt);
    else unread.set(entry.account, entry.problem);
  }
  // Only a full resolver lists the accounts.
  for (const account of await loadedAccounts(context)) if (!stored.has(account)) stored.set(account, undefined);
  const hosted = await context.probes.hosted();
  const streamsOf = (id: AccountId): number =>
    hosted.ok ? hosted.value.filter(({ account }) => account === id).length : 0;
  const holders = await pMap(
    stored,
    async ([account, jwt]): Promise<readonly RotationAccount[]> => {
      const seen = await probe(() => context.resolver.running(account));
      const running = seen.ok ? seen.value.flatMap((it) => (it.loaded ? [it] : [])) : [];
      const claims = jwt?.document.claims ?? running[0]?.document.claims;
      // A problem with one account must not stop the rotation of the others.
      if (!seen.ok) unread.set(account, seen.message);
      if (unread.has(account)) return [];
      const holder: RotationAccount = {
        account,
        streams: streamsOf(account),
        stored: jwt?.document.claims.iss === from,
        name: nameOf(context, account, claims),
        critical: context.policyOf(account, claims).critical,
        runningOn: running.filter(({ document }) => document.claims.iss === from).map(({ server }) => server),
      };
      if (!holder.stored && holder.runningOn.length === 0) return [];
      const problem = unsignable(context, claims);
      if (problem !== undefined) unread.set(account, problem);
      return problem === undefined ? [holder] : [];
    },
    { concurrency: ACCOUNTS_AT_ONCE },
  );
  const unknown = [...unread].map(([account, problem]) => ({ account, problem }));
  return { holders: holders.flat(), unknown };
}

/** Why the gate would refuse the claims, whatever key signs them. */
function unsignable({ clock }: Context, claims: AccountClaims | undefined): string | undefined {
  return claims?.exp === undefined || isCountable(claims.exp, clock.now()) ? undefined : UNCOUNTABLE;
}

/** Whether the old key is unused: no stored or running JWT is signed by it, and all signers are known. */
export function isRetirable({ waves, leftOut, unknown }: RotationPlan): boolean {
  return waves.length === 0 && leftOut.length === 0 && unknown.length === 0;
}
