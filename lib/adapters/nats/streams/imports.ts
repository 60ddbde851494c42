import pMap from "p-map";
import type { AccountId } from "../../../domain/claims/account.ts";
import { loaded } from "../../../domain/claims/claims-in-force.ts";
import type { Probe, RunningAccount, ServerFacts, StreamFacts } from "../../../domain/observation/observation.ts";
import { importsInDoubt, type StreamImport } from "../../../domain/verdict/import-findings.ts";
import { probe } from "../../../errors.ts";
import { AT_ONCE } from "../connection/in-flight.ts";
import { accountConnections, accountSubscriptions, askingServer, type ListSettings } from "../probes/lists.ts";

/**
 * Asks about each stream whose server may not deliver imports to it. A server that does has, in the exporter's account, a
 * subscription with the connection of the stream's own (tested on 2.9.10, 2.10.20 and 2.10.27).
 */
export async function withImports(
  settings: ListSettings,
  importer: AccountId,
  running: Probe<readonly RunningAccount[]>,
  servers: readonly ServerFacts[],
  streams: readonly StreamFacts[],
): Promise<readonly StreamFacts[]> {
  const inDoubt = importsInDoubt(loaded({ running })[0]?.document.claims, streams, servers);
  return pMap(
    streams,
    async (stream) => {
      const imports = inDoubt.get(stream.name);
      const id = servers.find(({ name }) => name === stream.server)?.id;
      if (imports === undefined || id === undefined) return stream;
      return { ...stream, deafImports: await deafImports(settings, importer, id, stream, imports) };
    },
    { concurrency: AT_ONCE },
  );
}

function deafImports(
  settings: ListSettings,
  importer: AccountId,
  server: string,
  { subjects }: StreamFacts,
  imports: readonly StreamImport[],
): Promise<Probe<readonly string[]>> {
  const askSubsz = askingServer(settings, server, "SUBSZ");
  return probe(async () => {
    const own = await accountSubscriptions(askSubsz, importer);
    const clients = await accountConnections(askingServer(settings, server, "CONNZ"), importer);
    const streams = own.filter(({ subject, cid }) => subjects.includes(subject) && !clients.has(cid));
    const ids = new Set(streams.map(({ cid }) => cid));
    const deaf: string[] = [];
    for (const { exporter, subject } of imports) {
      const exported = await accountSubscriptions(askSubsz, exporter);
      if (!exported.some(({ cid }) => ids.has(cid))) deaf.push(subject);
    }
    return deaf;
  });
}
