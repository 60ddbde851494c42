import type { World } from "../../lab/world.ts";
import { type App, openApp } from "../../lib/compose/compose.ts";
import { createLog } from "../../lib/log.ts";
import type { Job } from "../../lib/ports/jobs.ts";
import type { Context } from "../../lib/usecases/context/context.ts";
import type { Timing } from "../../lib/usecases/context/timing.ts";
import { remediate } from "../../lib/usecases/remediate/remediate.ts";
import type { Remediation } from "../../lib/usecases/remediate/remediation.ts";
import { jobDependencies } from "./job-dependencies.ts";

/** The app of a world, in this process, without output; dispose it. */
export function openWorldApp({ home }: World, timing: Partial<Timing> = {}): Promise<App> {
  return openApp({ configFile: `${home}/relight.yaml`, log: createLog({ level: "silent" }), timing });
}

/** One job on the world's account, as the command would run it, with parts of the context replaced. */
export async function runJobOn(
  world: World,
  action: Job["action"],
  change: (context: Context) => Partial<Context> = () => ({}),
  { timing, ...more }: Partial<Job> & { readonly timing?: Partial<Timing> } = {},
): Promise<Remediation> {
  await using app = await openWorldApp(world, timing);
  const context = await app.context();
  const { accountId: account } = world;
  const deps = jobDependencies({ ...context, ...change(context) });
  return await remediate(deps, {
    account: await app.findOffline(account),
    action,
    trigger: "manual",
    reason: "a test",
    ...more,
  });
}
