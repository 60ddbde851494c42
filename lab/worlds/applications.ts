import { setTimeout as pause } from "node:timers/promises";
import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { type Access, login } from "./judge.ts";
import { literalOf, remaining, type WorldPlan } from "./plan.ts";

/** Applications that use the account all the time, whatever happens to it. They connect again when they are cut off. */
export function runApplications(access: Access, plan: WorldPlan): AsyncDisposable {
  const over = new AbortController();
  const works = [
    ...Array.from({ length: plan.churn.makers }, (_, worker) => make(worker)),
    ...Array.from({ length: plan.churn.publishers }, () => publishTo(plan)),
    ...(plan.fakes === 0 ? [] : [pretend(plan)]),
  ];
  const all = works.map((work) => again(access, work, over.signal));
  return {
    async [Symbol.asyncDispose]() {
      over.abort();
      await Promise.all(all);
    },
  };
}

type Work = (connection: NatsConnection, signal: AbortSignal) => Promise<void>;

/** Repeats the work, each time on a connection that it has for as long as that lives. */
async function again(access: Access, work: Work, signal: AbortSignal): Promise<void> {
  let connection: NatsConnection | undefined;
  while (!signal.aborted) {
    try {
      if (connection === undefined || connection.isClosed()) connection = await login(access, "account");
      await work(connection, signal);
      // A publisher without a subject has nothing to wait for, and would never let anything else run.
      await pause(10);
    } catch {
      await pause(100);
    }
  }
  await connection?.close().catch(() => undefined);
}

/** Creates a stream and a consumer and deletes them, as test suites and services with a stream per request do. */
function make(worker: number): Work {
  let round = 0;
  return async (connection) => {
    const manager = await jetstreamManager(connection, { timeout: 3_000, checkAPI: false });
    const name = round++ % 2 === 0 ? `PASSING_${worker}` : `PASSING_${worker}_${round}`;
    await manager.streams.add({ name, subjects: [`passing.${worker}.${round}.>`], allow_direct: true });
    try {
      await manager.consumers.add(name, { durable_name: "worker", ack_policy: AckPolicy.Explicit });
      await pause([0, 20, 200, 700][round % 4]);
    } finally {
      await manager.streams.delete(name);
    }
  };
}

function publishTo(plan: WorldPlan): Work {
  const subjects = remaining(plan).flatMap((stream) => stream.subjects.map(literalOf));
  return async (connection) => {
    const client = jetstream(connection);
    for (const subject of subjects) {
      await client.publish(subject, "from a publisher", { timeout: 1_000, retries: 0 }).catch(() => undefined);
      await pause(50);
    }
  };
}

/** Subscribes to what JetStream subscribes to, so a search for any interest finds some. */
function pretend(plan: WorldPlan): Work {
  const subjects = remaining(plan).flatMap(({ name, subjects, consumers }) => [
    ...subjects,
    ...subjects.map(literalOf),
    ...consumers.map((consumer) => `deliver-nothing.${name}.${consumer.name}`),
  ]);
  return async (connection, signal) => {
    for (const subject of new Set(subjects))
      for (let count = 0; count < plan.fakes; count++) connection.subscribe(subject, { callback: () => undefined });
    await connection.flush();
    while (!connection.isClosed() && !signal.aborted) await pause(100);
  };
}
