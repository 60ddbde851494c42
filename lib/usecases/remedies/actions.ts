import { reissue } from "../../domain/claims/renewal.ts";
import { memoryAssetsNow } from "../../domain/ladder/memory.ts";
import { scaleUps, touches } from "../../domain/ladder/reconfiguration.ts";
import type { RungId } from "../../domain/ladder/rung.ts";
import { nameOfGroup } from "../../domain/ladder/step-down.ts";
import { tierEntries } from "../../domain/limits/tier-entries.ts";
import { directToggles } from "../../domain/observation/direct-gets.ts";
import { restorations } from "../../domain/observation/forgotten.ts";
import { RelightError } from "../../errors.ts";
import { type Context, type RunningJob, requireAccountKey, requireSigner } from "../context/context.ts";
import { type Look, looking } from "../observe/look.ts";
import { push } from "../push/push.ts";
import { renew } from "../renewal/renew.ts";
import { reconfigure } from "./reconfigure.ts";
import { restartServers } from "./restart-servers.ts";
import { stepDownLeaders } from "./step-down.ts";
import { toggleJetStream } from "./toggle.ts";

type Action = (context: Context, job: RunningJob, seen: Look) => Promise<unknown>;

/** The action of each rung. The caller decides whether it may run, and checks its effect. */
export const ACTIONS: Readonly<Record<RungId | "renew", Action>> = {
  renew,
  "push-again": pushAgain,
  "restore-consumers": restoreConsumers,
  "step-down-leaders": stepDownLeaders,
  "scale-up": scaleUp,
  "toggle-direct-gets": toggleDirectGets,
  "touch-metadata": touch,
  "enter-tiers": enterTiers,
  "toggle-jetstream": toggle,
  "restart-servers": restartServers,
};

async function pushAgain(context: Context, job: RunningJob, seen: Look): Promise<void> {
  const claims = requireClaims(seen);
  const signer = await requireSigner(context);
  const now = context.clock.now();
  const token = await signer.sign(reissue(claims, { issuer: signer.publicKey, id: context.newId(), now }));
  await push(context, job, { token, current: claims, allowance: "nothing", purpose: "push again" });
}

async function scaleUp(context: Context, job: RunningJob, { observation }: Look): Promise<void> {
  await reconfigure(context, job, scaleUps(observation).possible, async () => {
    const again = looking(context, job.account, false);
    await again();
    await stepDownLeaders(context, job, await again());
  });
}

/** Replicas subscribe again when direct gets are turned on, so nothing happens in between. */
async function toggleDirectGets(context: Context, job: RunningJob, { observation }: Look): Promise<void> {
  await reconfigure(context, job, directToggles(observation).possible, async () => undefined);
}

async function restoreConsumers(context: Context, job: RunningJob, { observation }: Look): Promise<void> {
  const wanted = restorations(observation).possible.map((consumer) => ({ ...consumer, create: true }) as const);
  const refused = await context.assets.configure(job.account, await requireAccountKey(context, job), wanted);
  const [first] = refused;
  if (first === undefined) return;
  const message = `consumer ${nameOfGroup(first)} could not be recreated: ${first.reason}`;
  throw new RelightError("assets.not_created", message);
}

async function touch(context: Context, job: RunningJob, { observation, memorySeen }: Look): Promise<void> {
  await reconfigure(context, job, touches(observation, memorySeen, job.id), async () => undefined);
}

/** The update itself moves the streams into their tiers, so nothing happens in between. */
export async function enterTiers(context: Context, job: RunningJob, { observation }: Look): Promise<void> {
  await reconfigure(context, job, tierEntries(observation), async () => undefined);
}

async function toggle(context: Context, job: RunningJob, seen: Look): Promise<void> {
  const { streams } = seen.observation;
  const memory = streams.ok ? memoryAssetsNow(streams.value) : [];
  await toggleJetStream(context, job, { claims: requireClaims(seen), memory });
}

/** Never throws after the ladder's checks, which refuse rungs that need missing claims. */
function requireClaims({ claims, observation }: Look) {
  if (claims !== undefined) return claims;
  throw new RelightError("account.no_claims", `the claims of account ${observation.account} are unknown`);
}
