import { loaded } from "../claims/claims-in-force.ts";
import { whyNoPush } from "../claims/resolver-kind.ts";
import { refusedAsAccount } from "../limits/connection-use.ts";
import type { Observation } from "../observation/observation.ts";
import { counted } from "../time/text.ts";
import { olderAfterRestart } from "../verdict/claims-findings.ts";
import { describeMemoryAsset, memoryAssets } from "./memory.ts";
import { losesByRestart } from "./restart.ts";
import type { Situation } from "./rung.ts";

/** Objections that several rungs share; each is undefined if there is no objection. */

/** Why Relight can't connect as the account; undefined if nothing is known against it. */
export function cannotAsk({ hasAccountKey, observation }: Situation): string | undefined {
  if (!hasAccountKey) return "only the account itself may request it, but its signingKey is not configured";
  const view = observation.accountView;
  const refused =
    refusedAsAccount(observation) ?? (view.ok === "not-asked" && view.keptOut === true ? view.why : undefined);
  return refused === undefined ? undefined : `only the account itself may request it, but ${refused}`;
}

/** In a cluster the toggle does damage: R3 streams lose their leader, R1 consumers vanish (also on 2.15.1). */
export function notAlone({ servers }: Observation): string | undefined {
  if (servers.length !== 1)
    return `${counted(servers.length, "server")} answered; in a cluster the toggle destroys streams and consumers`;
  const [server] = servers;
  if (server?.topology === "standalone") return undefined;
  return `${server?.name} is not proved to be standalone; in a cluster the toggle destroys streams and consumers`;
}

export function cannotPush({ canSign, claims, observation }: Situation): string | undefined {
  if (claims === undefined) return "the claims in force could not be read";
  const nowhere = loaded(observation).length > 0 ? undefined : whyNoPush(observation.servers);
  if (nowhere !== undefined) return nowhere;
  return canSign ? undefined : "there is no key to sign with (operator.signingKey)";
}

export function losesMemory(situation: Situation): string | undefined {
  const { streams } = situation.observation;
  if (!streams.ok) return "it is unknown what would be lost, because the account's streams could not be read";
  const inMemory = memoryAssets(streams.value).map(describeMemoryAsset).join(", ");
  if (inMemory === "") return undefined;
  if (!situation.allowMemoryLoss)
    return `it would lose what exists only in memory: ${inMemory}; allow this with allowMemoryLoss, or save it first`;
  const unanswered = cannotAsk(situation);
  return (
    unanswered &&
    `it would remove what exists only in memory (${inMemory}), and Relight could not recreate it: ${unanswered}`
  );
}

/** A server that does not keep what was pushed comes back with claims that may have expired. */
export function comesBackOlder({ observation }: Situation): string | undefined {
  return olderAfterRestart(observation)[0];
}

export function losesMemoryByRestart({ observation, allowMemoryLoss }: Situation): string | undefined {
  const lost = losesByRestart(observation);
  if (lost.length === 0 || allowMemoryLoss) return undefined;
  return `it would lose what exists only in the memory of one server: ${lost.join(", ")}; allow this with allowMemoryLoss`;
}
