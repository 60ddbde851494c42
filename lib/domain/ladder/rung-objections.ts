import { refusedAsAccount } from "../limits/connection-use.ts";
import type { Observation } from "../observation/observation.ts";
import { describeMemoryAsset, memoryAssets } from "./memory.ts";
import { losesByRestart } from "./restart.ts";
import type { Situation } from "./rung.ts";

/** Why a rung must not be done, as several have it in common; each is undefined where it may. */

/** Why nothing can be asked as the account; undefined where it can, as far as is known. */
export function cannotAsk({ hasAccountKey, observation }: Situation): string | undefined {
  if (!hasAccountKey) return "only the account may ask for it, and its signingKey is not configured";
  const refused = refusedAsAccount(observation);
  return refused === undefined ? undefined : `only the account may ask for it, and ${refused}`;
}

/** In a cluster the toggle destroys: R3 streams lose their leader, R1 consumers vanish (2.15.1 too). */
export function notAlone({ servers }: Observation): string | undefined {
  if (servers.length !== 1)
    return `${servers.length} servers answered; in a cluster the toggle destroys streams and consumers`;
  const [server] = servers;
  if (server?.topology === "standalone") return undefined;
  return `${server?.name} is not proved to stand alone; in a cluster the toggle destroys streams and consumers`;
}

export function cannotPush({ canSign, claims }: Situation): string | undefined {
  if (claims === undefined) return "the claims in force could not be read";
  return canSign ? undefined : "there is no key to sign with (operator.signingKey)";
}

export function losesMemory(situation: Situation): string | undefined {
  const { streams } = situation.observation;
  if (!streams.ok) return "the account's streams could not be read, so what it would lose is unknown";
  const inMemory = memoryAssets(streams.value).map(describeMemoryAsset).join(", ");
  if (inMemory === "") return undefined;
  if (!situation.allowMemoryLoss)
    return `it would lose what is held in memory only: ${inMemory}; allow it with allowMemoryLoss, or save it first`;
  const mute = cannotAsk(situation);
  return (
    mute &&
    `it would remove what is held in memory only (${inMemory}), and Relight could not make it anew: ${mute}`
  );
}

export function losesMemoryByRestart({ observation, allowMemoryLoss }: Situation): string | undefined {
  const lost = losesByRestart(observation);
  if (lost.length === 0 || allowMemoryLoss) return undefined;
  return `it would lose what is held in memory on one server only: ${lost.join(", ")}; allow it with allowMemoryLoss`;
}
