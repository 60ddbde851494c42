import type { Msg, NatsConnection } from "@nats-io/transport-node";
import pMap from "p-map";
import * as z from "zod";
import type { Probe, ServerFacts } from "../../../domain/observation/observation.ts";
import type { HealthAnswer, HealthChecks, ServersHealth } from "../../../domain/observation/server-health.ts";
import type { Millis } from "../../../domain/time/time.ts";
import { probe } from "../../../errors.ts";
import { read, readData, statsz } from "../connection/answers.ts";
import { ask, gather, readJson } from "../connection/asking.ts";
import { AT_ONCE } from "../connection/in-flight.ts";

const PING = "$SYS.REQ.SERVER.PING.STATSZ";

/** 2.9 has only `status` and `error`. If details were requested, `errors` replaces `error`. */
const healthz = z.looseObject({ status: z.string(), error: z.string().optional() });

/** Runs the three health checks on each of `servers`, and asks how many servers there should be. */
export async function serversHealth(
  connection: NatsConnection,
  timeout: Millis,
  servers: readonly ServerFacts[],
): Promise<ServersHealth> {
  const [expected, health] = await Promise.all([
    countServers(connection, timeout),
    pMap(servers, async (server) => ({ server, checks: await checksOf(connection, timeout, server) }), {
      concurrency: AT_ONCE,
    }),
  ]);
  return { expected: Math.max(expected, servers.length), servers: health };
}

/** How many servers the first one to answer counts, including itself. A killed server is counted for a while. */
async function countServers(connection: NatsConnection, timeout: Millis): Promise<number> {
  const active = (reply: Msg): number => read(statsz, readJson(reply), "STATSZ").statsz.active_servers;
  const answers = await gather(connection, PING, "", { timeout, enough: ({ length }) => length > 0 });
  return Math.max(0, ...answers.map(active));
}

async function checksOf(connection: NatsConnection, timeout: Millis, { id }: ServerFacts): Promise<HealthChecks> {
  const check = (options: object): Promise<Probe<HealthAnswer>> =>
    probe(async () => {
      const subject = `$SYS.REQ.SERVER.${id}.HEALTHZ`;
      const answer = readJson(await ask(connection, subject, JSON.stringify(options), timeout));
      const { status, error } = readData(healthz, answer, "HEALTHZ");
      return { ok: status === "ok", message: error ?? status };
    });
  const [enabledOnly, serverOnly, full] = await Promise.all([
    check({ "js-enabled-only": true }),
    check({ "js-server-only": true }),
    check({}),
  ]);
  return { enabledOnly, serverOnly, full };
}
