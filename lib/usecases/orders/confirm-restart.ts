import { restartBlockers } from "../../domain/ladder/restart-guard.ts";
import { RelightError } from "../../errors.ts";
import type { Context } from "../context/context.ts";
import { withLease } from "../context/lease.ts";
import { gatherEvidence, openRestartOf, recordRestart } from "../remedies/restart-servers.ts";

/**
 * Confirms that a person checked a server whose restart did not end properly, so Relight may restart servers again.
 * Returns the server; undefined if there is nothing to confirm.
 * @throws RelightError `restart.refused` while the guard still objects, `usage` for another server.
 */
export async function confirmRestart(context: Context, server: string): Promise<string | undefined> {
  const id = context.newId();
  return withLease(context, "restarts", id, async () => {
    const open = await openRestartOf(context);
    if (open === undefined) return undefined;
    if (open.server !== server)
      throw new RelightError("usage", `the unfinished restart is of ${open.server}, not of ${server}`);
    const objections = restartBlockers(open, await gatherEvidence(context, server));
    if (objections.length > 0) throw new RelightError("restart.refused", objections.join("; "));
    await recordRestart(context, id, "restart.closed", { server, confirmed: true });
    return server;
  });
}
