/**
 * `npm run twin`: the whole stack on this machine. Packaged functions, an emulator instead of AWS, and a real NATS cluster
 * with three accounts that die; each is healed by another trigger. Checks every line that it prints, and exits with 1 if
 * one is not true.
 */
import { isDeepStrictEqual } from "node:util";
import { Command } from "commander";
import colors from "picocolors";
import { expire, fill, renewByHand, snapshot, symptoms } from "../scenario.ts";
import { serverBinary } from "../server-binaries.ts";
import { chapter, prove, say } from "../show.ts";
import { anotherAccount, createWorld, type World } from "../world.ts";
import type { Call } from "./call.ts";
import type { Run } from "./functions.ts";
import { byHand, bySchedule, byWebhook } from "./triggers.ts";
import { startTwin, type Twin } from "./twin.ts";

/** Any version before 2.10.28 works; a current Debian release packages this one. */
const VERSION = "2.10.27";

const options = new Command("twin")
  .description("runs the whole stack on this machine and heals an account through each of its triggers")
  .option("--keep", "leave everything running afterwards, with its addresses printed, until Ctrl-C")
  .option("--log", "show the functions' own log lines")
  .addHelpText("after", "\nNeeds Python 3 for the emulator (moto), and the output of `npm run package`.")
  .parse()
  .opts<{ readonly keep?: boolean; readonly log?: boolean }>();

/** Prints that a function starts, and how it ended. */
function printRun(run: Run): void {
  say(`${colors.cyan("λ")} ${run.function} starts in its own process`);
  void run.end.then((end) => {
    const took = `${Date.now() - run.started} ms`;
    const result = end.kind === "answered" ? JSON.stringify(end.answer) : JSON.stringify(end);
    say(`${colors.cyan("λ")} ${run.function} ${end.kind} after ${took} ${colors.dim(result.slice(0, 100))}`);
  });
}

async function deployTwin(world: World, accounts: Readonly<Record<string, World>>): Promise<Twin> {
  chapter("An empty emulator, and the stack from `npm run package`");
  const twin = await startTwin({
    world,
    accounts,
    onRun: printRun,
    ...(options.log === true ? { onLine: ({ function: name, text }) => say(colors.dim(`${name}: ${text}`)) } : {}),
  });
  const { made, missing } = twin.deployment;
  say(`CloudFormation created ${made.map(short).join(", ")}`);
  say(`moto does not support ${missing.map(short).join(", ")}: the twin replaces those that do something`);
  say(`functions: ${twin.functions.names.join(", ")}`);
  return twin;
}

const short = (type: string): string => type.replace("AWS::", "");

async function die(world: World): Promise<void> {
  await expire(world);
  await renewByHand(world, 90 * 86_400);
  const whileDeaf = await symptoms(world);
  prove("its JWT expired and was renewed by hand: $JS.API.INFO reports no problem", whileDeaf.apiInfo === "ok");
  prove(
    `publishing and fetching fail: ${whileDeaf.publish}`,
    whileDeaf.publish !== "ok" && whileDeaf.fetch !== "ok",
    whileDeaf,
  );
}

async function isHealed(world: World, twin: Twin, before: unknown): Promise<void> {
  await twin.queues.idle();
  const after = await snapshot(world);
  prove("no message was lost, and every consumer is at its position", isDeepStrictEqual(after, before));
  const healed = await symptoms(world);
  prove("publishing and fetching work", healed.publish === "ok" && healed.fetch === "ok", healed);
}

type Trigger = (twin: Twin, account: string) => Promise<void>;

/** Each heals its own account, because an account healed by a step-down survives its next expiry. */
const TRIGGERS: readonly (readonly [account: string, title: string, trigger: Trigger])[] = [
  [
    "APP",
    "The schedule: a sweep queues every account",
    async (twin) => {
      const end = await bySchedule(twin);
      prove("the sweep queued a job for every account", end.kind === "answered", end);
    },
  ],
  [
    "BILLING",
    "The issuer: a webhook, signed according to Standard Webhooks",
    async (twin, account) => {
      const status = await byWebhook(twin, account);
      prove("POST /issuer answered 202: the job is queued", status === 202, status);
    },
  ],
  [
    "SHOP",
    "A person: an invocation of the function `manual`",
    async (twin, account) => {
      const end = await byHand(twin, account);
      prove("it answered: healed", JSON.stringify(end).includes('"outcome":"healed"'), end);
    },
  ],
];

async function show(twin: Twin, accounts: Readonly<Record<string, World>>): Promise<void> {
  for (const [name, title, trigger] of TRIGGERS) {
    const world = accounts[name] as World;
    chapter(`${title} (account ${name})`);
    const before = await snapshot(world);
    await die(world);
    await trigger(twin, world.accountId);
    await isHealed(world, twin, before);
  }
  chapter("What it did");
  for (const [name, { accountId }] of Object.entries(accounts)) {
    const ends = (await twin.journal(accountId)).filter(({ kind }) => kind === "job.finished");
    const healed = ends.filter(({ data }) => data["outcome"] === "healed");
    prove(`the journal says that ${name} was healed, once`, healed.length === 1, ends);
  }
  prove("nobody was paged", twin.receiver.pages.length === 0, twin.receiver.pages);
  console.log(summary(twin.proxy.calls));
}

/** The accounts of the triggers, each with the same streams. */
async function fillAccounts(world: World): Promise<Readonly<Record<string, World>>> {
  const accounts: Record<string, World> = {};
  for (const [name] of TRIGGERS) {
    const own = name === "APP" ? world : await anotherAccount(world, name);
    await fill(own, { messages: 50, replicas: 3 });
    say(`account ${name} has two streams of three replicas, two consumers and 51 messages`);
    accounts[name] = own;
  }
  return accounts;
}

/** Average calls to AWS per run, by function and operation. */
function summary(calls: readonly Call[]): string {
  const functions = [...new Set(calls.map(({ caller }) => caller))];
  return functions
    .map((name) => {
      const own = calls.filter(({ caller }) => caller === name);
      const runs = new Set(own.map(({ request }) => request)).size;
      const operations = [...new Set(own.map(({ service, operation }) => `${service}:${operation}`))].map((each) => {
        const count = own.filter(({ service, operation }) => `${service}:${operation}` === each).length;
        return `${each} ${(count / runs).toFixed(1)}`;
      });
      return `         ${name}, ${runs} runs, calls to AWS in each: ${operations.join(", ")}`;
    })
    .join("\n");
}

/** Runs the schedules until interrupted. */
function keep(world: World, twin: Twin): void {
  chapter("Running until you press Ctrl-C");
  say(`NATS        ${world.servers.map(({ url }) => url).join(" ")}`);
  say(`its keys    ${world.home}: sys.creds, app.creds, and a relight.yaml for the command`);
  say(`HTTP API    ${twin.http.url} ${twin.http.routes.map(({ key }) => key).join(", ")}`);
  say(`AWS         AWS_ENDPOINT_URL=${twin.settings.endpoint} AWS_REGION=${twin.settings.region}`);
  say("            with any credentials (AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test)");
  for (const { function: name, expression, fire } of twin.schedules) {
    const [, count = "5", unit = "minutes"] = /rate\((\d+) (\w+?)s?\)/.exec(expression) ?? [];
    const millis = Number(count) * (unit.startsWith("hour") ? 3_600_000 : 60_000);
    say(`schedule    ${name}, ${expression}`);
    setInterval(fire, millis);
  }
}

const parts = new AsyncDisposableStack();
const interrupted = (): void => {
  void parts.disposeAsync().finally(() => process.exit(130));
};
process.on("SIGINT", interrupted).on("SIGTERM", interrupted);
try {
  const { path, version } = await serverBinary(VERSION, say);
  chapter(`Three nats-servers ${version}, in operator mode, with JetStream`);
  const world = parts.use(await createWorld({ binary: path, size: 3 }));
  const accounts = await fillAccounts(world);
  const twin = parts.use(await deployTwin(world, accounts));
  await show(twin, accounts);
  if (options.keep === true) {
    keep(world, twin);
    await new Promise(() => {});
  }
} catch (error) {
  console.error(`\n${(error as Error).message}`);
  process.exitCode = 1;
}
await parts.disposeAsync();
