import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { PurgeQueueCommand, SQSClient } from "@aws-sdk/client-sqs";
import { nowSeconds } from "../keys.ts";
import { expire, fill, renewByHand } from "../scenario.ts";
import { waitFor } from "../wait.ts";
import { anotherAccount, type World } from "../world.ts";
import { type Recorded, recording } from "./costs-record.ts";
import { SIZES } from "./costs-sizes.ts";
import { every } from "./faults.ts";
import { bySchedule, byWebhook } from "./triggers.ts";
import { startTwin, type Twin } from "./twin.ts";

/** The measurements of each kind of run. */
export interface Scenes {
  readonly sweeps: Readonly<Record<number, Recorded>>;
  readonly look: Recorded;
  readonly renewal: Recorded;
  readonly heal: Recorded;
  /** A sweep that can't queue jobs, and the resulting page. */
  readonly page: Recorded;
  readonly told: Recorded;
  readonly webhook: Recorded;
}

/**
 * Fills the queue after one sweep: a sweep's cost per account is measured without sending jobs, because that belongs to
 * the jobs' costs, and because the emulator becomes slower with more messages.
 */
const FULL_QUEUE = "sweep: { atMostWaiting: 5 }\n";

/** A twin whose functions report what they used. */
export function startMeasuredTwin(world: World, artefacts?: string): Promise<Twin> {
  const probe = pathToFileURL(join(import.meta.dirname, "costs-probe.ts")).href;
  const environment = { NODE_OPTIONS: `--disable-warning=ExperimentalWarning --import=${probe}` };
  return startTwin({
    world,
    yaml: FULL_QUEUE,
    environment,
    ...(artefacts === undefined ? {} : { artefacts }),
  });
}

/** Runs everything that costs money once. Breaks the world in between; it is healthy at the end. */
export async function measure(twin: Twin, world: World, say: (line: string) => void): Promise<Scenes> {
  const resume = twin.queues.pause();
  const sweeps = await sweepsOf(twin, world, say);
  const { accountId } = world;
  await fill(world, { messages: 50, replicas: world.servers.length >= 3 ? 3 : 1 });
  const look = await routineLook(twin, accountId);
  say("a routine check");
  await world.push(world.sign(world.claims({ exp: nowSeconds() + 28 * 86_400 })));
  const renewal = await recorded(twin, "remediate", () => remediate(twin, accountId));
  say("a renewal");
  await expire(world);
  await renewByHand(world, 90 * 86_400);
  const heal = await recorded(twin, "remediate", () => remediate(twin, accountId));
  say("a heal");
  const webhook = await recorded(twin, "issuer-webhook", () => byWebhook(twin, accountId));
  say("a webhook");
  const { page, told } = await measurePage(twin, resume);
  say("a page");
  return { sweeps, look, renewal, heal, page, told, webhook };
}

async function sweepsOf(twin: Twin, world: World, say: (line: string) => void): Promise<Scenes["sweeps"]> {
  const sweeps: Record<number, Recorded> = {};
  await bySchedule(twin);
  let made = 1;
  for (const size of SIZES) {
    for (; made < size; made += 1) await anotherAccount(world, `A${made}`);
    sweeps[size] = await recorded(twin, "sweep", () => bySchedule(twin));
    say(`a sweep over ${size} accounts`);
  }
  return sweeps;
}

/** Measures the second check of an account, because the first one writes more. */
export async function routineLook(twin: Twin, account: string): Promise<Recorded> {
  await remediate(twin, account);
  return recorded(twin, "remediate", () => remediate(twin, account));
}

async function recorded(twin: Twin, name: string, work: () => Promise<unknown>): Promise<Recorded> {
  const end = recording(twin, name);
  await work();
  return end();
}

const EVENT = join(import.meta.dirname, "..", "..", "events", "remediate.sqs.json");
let jobs = 0;

/** Invokes `remediate` with a job of a sweep, without the queue. */
async function remediate(twin: Twin, account: string): Promise<void> {
  jobs += 1;
  const text = (await readFile(EVENT, "utf8"))
    .replaceAll("A".repeat(56), account)
    .replaceAll("sweep-1", `sweep-${jobs}`);
  const end = await twin.functions.invoke("remediate", JSON.parse(text)).end;
  if (end.kind !== "answered" || JSON.stringify(end.answer).includes("itemIdentifier"))
    throw new Error(`remediate did not do its job: ${JSON.stringify(end)}`);
}

/** Drops the sweeps' jobs, because one run of each kind has been measured. */
async function dropJobs({ deployment, settings }: Twin): Promise<void> {
  const client = new SQSClient(settings);
  const QueueUrl = String(deployment.stack.resolve({ Ref: "JobsQueue" }));
  await client.send(new PurgeQueueCommand({ QueueUrl }));
  client.destroy();
}

/** A failing sweep sends an incident to the bus, and `escalate` notifies the channel. */
async function measurePage(twin: Twin, resume: () => void): Promise<Pick<Scenes, "page" | "told">> {
  const [page, told] = [recording(twin, "sweep"), recording(twin, "escalate")];
  using _fault = twin.proxy.injectFaults(
    every(
      1,
      { kind: "throttle" },
      ({ caller, service, operation }) => caller === "sweep" && service === "sqs" && operation.startsWith("Get"),
    ),
  );
  await bySchedule(twin);
  await dropJobs(twin);
  resume();
  await waitFor("the page", () => twin.receiver.pages.length > 0, { timeout: 30_000 });
  await waitFor("escalate to end", () =>
    twin.queues.deliveries.some(({ function: name, failed }) => name === "escalate" && failed !== undefined),
  );
  return { page: page(), told: told() };
}
