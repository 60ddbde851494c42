/**
 * `npm run quickstart`: starts a real nats-server, lets an account expire, renews it by hand, and heals it with Relight.
 * Checks every line that it prints, and exits with 1 if one is not true.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import colors from "picocolors";
import { expire, fill, renewByHand, snapshot, symptoms } from "./scenario.ts";
import { type Binary, serverBinary, versionOf } from "./server-binaries.ts";
import { chapter, prove, say } from "./show.ts";
import { createWorld, type World } from "./world.ts";

const MESSAGES = 500;
/** Any version before 2.10.28 works; a current Debian release packages this one. */
const VERSION = "2.10.27";
const COMMAND = join(import.meta.dirname, "..", "bin", "relight.js");

/** Runs the command as a user would, shows its output, and returns its exit code. */
function relight(world: World, ...args: string[]): number | null {
  console.log(`\n${colors.cyan(`$ relight ${args.join(" ")}`)}`);
  const env = { ...process.env, ...(process.stdout.isTTY ? { FORCE_COLOR: "1" } : {}) };
  const { status, stdout, stderr } = spawnSync(process.execPath, [COMMAND, ...args], {
    cwd: world.home,
    env,
    encoding: "utf8",
  });
  console.log(`${stdout}${stderr}`.trimEnd());
  return status;
}

async function brokenServer(): Promise<Binary> {
  try {
    return await serverBinary(VERSION, say);
  } catch (error) {
    const version = await versionOf("nats-server");
    const [major = 0, minor = 0, patch = 0] = (version ?? "9").split(".").map(Number);
    const hasDefect = major === 2 && (minor < 10 || (minor === 10 && patch < 28));
    if (version !== undefined && hasDefect) return { path: "nats-server", version };
    throw error;
  }
}

async function show(world: World, version: string): Promise<void> {
  await fill(world, { messages: MESSAGES });
  const before = await snapshot(world);
  const pid = world.server.pid();
  say(`account APP has two streams, two consumers and ${MESSAGES + 1} messages`);

  chapter("The account expires, and somebody renews it by hand");
  await expire(world);
  say("its JWT expired: the server disconnected its clients, and its own JetStream with them");
  await renewByHand(world, 90 * 86_400);
  say("a new JWT was signed and pushed, and the server said 200 “jwt updated”");

  chapter("Every usual check is green, and nothing works");
  const whileDeaf = await symptoms(world);
  prove("$JS.API.INFO reports no problem", whileDeaf.apiInfo === "ok", whileDeaf);
  prove("$JS.API.STREAM.INFO reports no problem", whileDeaf.streamInfo === "ok", whileDeaf);
  prove(`publishing fails: ${whileDeaf.publish}`, whileDeaf.publish.includes("no responders"), whileDeaf);
  prove(`fetching fails: ${whileDeaf.fetch}`, whileDeaf.fetch !== "ok", whileDeaf);

  chapter("Relight finds the dead streams");
  prove("relight verify says: dead (exit code 2)", relight(world, "verify", "APP") === 2);
  relight(world, "plan", "APP");

  chapter("Relight heals it");
  prove("relight heal says: healed (exit code 0)", relight(world, "heal", "APP") === 0);

  chapter("Everything works again");
  prove("no message was lost, and every consumer is at its position", isDeepStrictEqual(await snapshot(world), before));
  prove("the server was not restarted", world.server.pid() === pid);
  const healed = await symptoms(world);
  prove("publishing works", healed.publish === "ok", healed);
  prove("fetching works", healed.fetch === "ok", healed);
  prove("relight verify says: healthy (exit code 0)", relight(world, "verify", "APP") === 0);

  chapter("The journal is the audit log");
  prove("it has every step", relight(world, "journal", "APP") === 0);
  say(`done: an account on nats-server ${version} died and was healed`);
}

const { path, version } = await brokenServer();
chapter(`nats-server ${version}, in operator mode, with JetStream`);
const world = await createWorld({ binary: path });
const interrupted = (): void => {
  void world[Symbol.asyncDispose]().then(() => process.exit(130));
};
process.on("SIGINT", interrupted).on("SIGTERM", interrupted);
try {
  await show(world, version);
  // In a checkout this also works on a Node that the command itself is too new for.
  console.log(`
Your own cluster: ${colors.bold("npm run relight -- init")} (docs/init.md).`);
} catch (error) {
  console.error(`\n${(error as Error).message}`);
  process.exitCode = 1;
} finally {
  await world[Symbol.asyncDispose]();
}
