import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";

/** Runs the built command again and again, one run at a time, as test/support/resident.ts orders. */
const BUNDLE = pathToFileURL(join(import.meta.dirname, "..", "..", "dist", "cli", "relight.js")).href;
const SIGNALS = ["SIGINT", "SIGTERM"];
let runs = 0;

/** What keeps the process alive or waits for its end. */
const leftovers = () =>
  process.getActiveResourcesInfo().length + SIGNALS.reduce((sum, signal) => sum + process.listenerCount(signal), 0);

process.on("message", async ({ command, cwd, args, env }) => {
  const output = { stdout: keep(process.stdout), stderr: keep(process.stderr) };
  const before = leftovers();
  process.chdir(cwd);
  process.argv.splice(1, process.argv.length, command, ...args);
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
  Object.assign(process.env, env);
  const exit = await runOnce();
  // Sockets close a moment after their connection.
  for (let waits = 0; waits < 10 && leftovers() > before; waits++) await sleep(10);
  const [stdout, stderr] = [output.stdout.join(""), output.stderr.join("")];
  process.send({ exit, stdout, stderr, isDirty: leftovers() > before });
});
process.once("disconnect", () => process.kill(process.pid, "SIGKILL"));

/** The exit code. Of the bundle's modules only the first is loaded anew, and runs the command. */
function runOnce() {
  return new Promise((done, crash) => {
    process.exit = done;
    import(`${BUNDLE}?${runs++}`).catch(crash);
  });
}

/** What is written to the stream from now on. */
function keep(stream) {
  const chunks = [];
  stream.removeAllListeners("error");
  stream.write = (chunk, ...rest) => {
    chunks.push(String(chunk));
    rest.findLast((each) => typeof each === "function")?.();
    return true;
  };
  return chunks;
}
