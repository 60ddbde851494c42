import { once } from "node:events";
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "@jest/globals";
import { Webhook } from "standardwebhooks";
import { isAlive } from "../../lab/alive.ts";
import { endServer, processIdOf } from "../../lab/restart-server.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { waitFor } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { systemClock } from "../../lib/adapters/local/clock.ts";
import { type CommandSettings, commandRestarter } from "../../lib/adapters/restart/command.ts";
import { type WebhookSettings, webhookRestarter } from "../../lib/adapters/restart/webhook.ts";
import { openApp } from "../../lib/compose/compose.ts";
import { redactText } from "../../lib/domain/time/redact.ts";
import { millis } from "../../lib/domain/time/time.ts";
import { createLog } from "../../lib/log.ts";
import type { Restarter } from "../../lib/ports/remedies.ts";
import { fakeKubernetes } from "../support/fake-kubernetes.ts";
import { NAMESPACE, STATEFUL_SET, server } from "../support/kubernetes.ts";
import {
  allOf,
  failureOf,
  type Harness,
  LONG,
  restarterContract,
  SECRET,
  SEED,
  SHORT,
  secrets,
} from "../support/restarter-contract.ts";

describe("command", () => {
  restarterContract(openCommand);
  commandTests();
});

const command = (words: readonly string[], settings: Partial<CommandSettings> = {}): Restarter =>
  commandRestarter({
    command: words,
    timeout: LONG,
    grace: millis(200),
    env: process.env,
    redactText,
    ...settings,
  });

async function openCommand(how: "works" | "fails" | "hangs"): Promise<Harness> {
  const folder = await mkdtemp(join(tmpdir(), "relight-test-"));
  const done = join(folder, "done");
  const scripts = {
    works: `echo "$1" >> ${done}`,
    fails: `echo "it said ${SEED}" >&2; exit 3`,
    hangs: `sleep 60; echo "$1" >> ${done}`,
  };
  const restarter = command(["sh", "-c", scripts[how], "sh", "{name}"], {
    timeout: how === "hangs" ? SHORT : LONG,
  });
  return {
    restarter,
    restarted: async () => (await readFile(done, "utf8").catch(() => "")).split("\n").filter(Boolean),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

function commandTests(): void {
  test("gets the server's name and id as arguments and in the environment, without a shell", async () => {
    const script = `[ "$1|$2|$3" = "x-nats-1-nats-1|N${"A".repeat(55)}|{other} \\$(x)" ] && [ "$RELIGHT_SERVER_NAME|$RELIGHT_SERVER_ID" = "nats-1|$2" ]`;
    await command(["sh", "-c", script, "sh", "x-{name}-{name}", "{id}", "{other} $(x)"]).restart(server("nats-1"));
  });

  test("the last lines of standard error give the reason", async () => {
    const script = "seq 1 100000 >&2; echo >&2; echo nobody reads this; exit 7";
    const error = await failureOf(command(["sh", "-c", script]).restart(server("nats-1")));
    expect(error.message).toMatch(/ended with exit code 7: 99996\n99997\n99998\n99999\n100000$/);
    expect(error.details).toMatchObject({ begun: true, exitCode: 7, signal: null });
  });

  test.each([
    ["that is not there", "no-such-program-anywhere", "was not found"],
    ["that may not be run", "plain", "could not be started (EACCES)"],
  ])("a program %s is reported, and nothing was begun", async (_, name, why) => {
    const folder = await mkdtemp(join(tmpdir(), "relight-test-"));
    await writeFile(join(folder, "plain"), "");
    await chmod(join(folder, "plain"), 0o600);
    const error = await failureOf(command([join(folder, name)]).restart(server("nats-1")));
    expect(error.message).toContain(why);
    expect(error.details).toMatchObject({ begun: false });
    await rm(folder, { recursive: true });
  });

  test("without a place for standard error nothing is begun", async () => {
    const error = await failureOf(command(["true"], { folder: "/nowhere" }).restart(server("nats-1")));
    expect(error.message).toContain("can't create a file in /nowhere (ENOENT)");
    expect(error.details).toMatchObject({ begun: false });
  });

  test("it leaves no file behind", async () => {
    const folder = await mkdtemp(join(tmpdir(), "relight-test-"));
    await command(["true"], { folder }).restart(server("nats-1"));
    await failureOf(command(["false"], { folder }).restart(server("nats-1")));
    expect(await readdir(folder)).toEqual([]);
    await rm(folder, { recursive: true });
  });

  test("a program that a signal ends has failed", async () => {
    const error = await failureOf(command(["sh", "-c", "kill -KILL $$"]).restart(server("nats-1")));
    expect(error.message).toContain("was killed by SIGKILL");
  });

  test("at the timeout it and all its children end, even if they resist", async () => {
    const folder = await mkdtemp(join(tmpdir(), "relight-test-"));
    const file = join(folder, "pids");
    const script = `trap "" TERM; sleep 60 & echo $! $$ > ${file}; wait; sleep 60`;
    const error = await failureOf(command(["sh", "-c", script], { timeout: millis(500) }).restart(server("nats-1")));
    expect(error.message).toContain("did not end within");
    const pids = (await readFile(file, "utf8")).trim().split(" ").map(Number);
    expect(pids).toHaveLength(2);
    await waitFor("both to be gone", () => pids.every((pid) => !isAlive(pid)));
    await rm(folder, { recursive: true });
  });

  test("gets what programs need and what is named, and no other variable", async () => {
    const folder = await mkdtemp(join(tmpdir(), "relight-test-"));
    const file = join(folder, "env");
    const env = { PATH: process.env["PATH"], HOME: "/home", OPERATOR_SEED: "secret", AWS_PROFILE: "ops", LC_ALL: "C" };
    await command(["sh", "-c", `env > ${file}`], { env, passes: ["AWS_PROFILE"] }).restart(server("nats-1"));
    const seen = await readFile(file, "utf8");
    for (const line of ["HOME=/home", "AWS_PROFILE=ops", "LC_ALL=C", "RELIGHT_SERVER_NAME=nats-1"])
      expect(seen).toContain(line);
    expect(seen).not.toContain("OPERATOR_SEED");
    await rm(folder, { recursive: true });
  });

  test("a background process neither delays it nor dies with it", async () => {
    const folder = await mkdtemp(join(tmpdir(), "relight-test-"));
    const file = join(folder, "said");
    // It continues to write to its standard error after the command ended.
    const daemon = `for i in 1 2 3 4 5; do sleep 0.1; echo $i >&2 || exit 1; done; echo lives > ${file}`;
    await command(["sh", "-c", `(${daemon}) &`], { timeout: millis(10_000) }).restart(server("nats-1"));
    await waitFor("the daemon to get through", () => readFile(file, "utf8").catch(() => undefined));
    await rm(folder, { recursive: true });
  });
}

describe("the configured restarter", () => {
  /** The restarter of a Relight whose configuration has `restart`; none without it. */
  async function configured(world: World, restart?: object): Promise<Restarter | undefined> {
    const file = join(world.home, "restarts.yaml");
    const rest = await readFile(join(world.home, "relight.yaml"), "utf8");
    await writeFile(file, restart === undefined ? rest : `${rest}\nrestart: ${JSON.stringify(restart)}\n`);
    await using app = await openApp({
      configFile: file,
      log: createLog({ level: "silent" }),
      env: { SECRET, PATH: process.env["PATH"] },
    });
    return (await app.context()).restarter;
  }

  test("is none, a webhook, a StatefulSet, or a command that restarts a real nats-server", async () => {
    const { path: binary } = await serverBinary("2.10.27");
    await using world = await createWorld({ binary });
    expect(await configured(world)).toBeUndefined();

    await using http = await receiver(204);
    const byWebhook = await configured(world, { webhook: { url: http.url, secret: "env:SECRET" } });
    await byWebhook?.restart(server("nats-1"));
    expect(http.received).toHaveLength(1);

    await using cluster = await fakeKubernetes();
    const before = await cluster.uids();
    await writeFile(join(world.home, "kubeconfig"), cluster.kubeconfig("relight"));
    const byKubernetes = await configured(world, {
      kubernetes: { namespace: NAMESPACE, statefulSet: STATEFUL_SET, kubeconfig: "file:kubeconfig" },
    });
    await byKubernetes?.restart(server("nats-1"));
    expect(await cluster.uids()).toEqual({
      ...before,
      "nats-1": expect.not.stringMatching(before["nats-1"] ?? ""),
    });

    await restartRealServer(world, (restart) => configured(world, restart));
  });

  async function restartRealServer(
    world: World,
    open: (restart: object) => Promise<Restarter | undefined>,
  ): Promise<void> {
    const { folder } = world.server;
    const program = join(import.meta.dirname, "..", "..", "lab", "restart-server.ts");
    const restarter = await open({ command: [process.execPath, program, "{name}", folder], timeout: "30s" });
    const before = await processIdOf(folder);
    try {
      await restarter?.restart(server("lab"));
      const after = await processIdOf(folder);
      expect({ before: isAlive(before), after: isAlive(after) }).toEqual({ before: false, after: true });
      const connection = await world.connectAs("app");
      await connection.close();
      const error = await failureOf(restarter?.restart(server("nats-1")));
      expect(error.message).toContain("no folder belongs to the server nats-1");
    } finally {
      await endServer(folder);
    }
  }
});

describe("webhook", () => {
  restarterContract(openWebhook);
  webhookTests();
});

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** How a receiver behaves at an attempt: a status, `hang` (never answers) or `drop` (closes the connection). */
type Behaviour = number | "hang" | "drop";

async function receiver(behaviour: Behaviour, port = 0) {
  const received: Received[] = [];
  const http = createServer(async (request, response) => {
    received.push({ headers: request.headers, body: await text(request) });
    if (behaviour === "drop") request.socket.destroy();
    else if (behaviour !== "hang") response.writeHead(behaviour, { location: "/elsewhere" }).end(SEED);
  });
  await once(http.listen(port, "127.0.0.1"), "listening");
  const address = http.address() as AddressInfo;
  return {
    received,
    port: address.port,
    url: `http://127.0.0.1:${address.port}/hook?key=QUERY-SECRET`,
    [Symbol.asyncDispose]: async () => {
      http.closeAllConnections();
      await new Promise((closed) => http.close(closed));
    },
  };
}

let orders = 0;
const webhook = (settings: Pick<WebhookSettings, "url"> & Partial<WebhookSettings>): Restarter =>
  webhookRestarter({
    clock: systemClock,
    secret: SECRET,
    timeout: LONG,
    pause: millis(1),
    newId: () => `id-${++orders}`,
    ...settings,
  });

async function openWebhook(how: "works" | "fails" | "hangs"): Promise<Harness> {
  const behaviour = ({ works: 204, fails: 500, hangs: "hang" } as const)[how];
  const http = await receiver(behaviour);
  return {
    restarter: webhook({ url: http.url, timeout: how === "hangs" ? SHORT : LONG }),
    restarted: async () => (how === "works" ? http.received.map(({ body }) => JSON.parse(body).data.server.name) : []),
    [Symbol.asyncDispose]: () => http[Symbol.asyncDispose](),
  };
}

function webhookTests(): void {
  test("the Standard Webhooks library verifies the signature", async () => {
    await using http = await receiver(200);
    await webhook({ url: http.url }).restart(server("nats-1"));
    const [{ body, headers } = { body: "", headers: {} }] = http.received;
    expect(new Webhook(SECRET).verify(body, headers as Record<string, string>)).toEqual({
      type: "server.restart",
      timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
      data: { server: { id: `N${"A".repeat(55)}`, name: "nats-1" } },
    });
  });

  test("only 202 is accepted", async () => {
    await using http = await receiver(202);
    await webhook({ url: http.url }).restart(server("nats-1"));
    expect(http.received).toHaveLength(1);
  });

  test("each request has its own id", async () => {
    await using http = await receiver(200);
    for (const name of ["nats-1", "nats-1"]) await webhook({ url: http.url }).restart(server(name));
    expect(new Set(http.received.map(({ headers }) => headers["webhook-id"])).size).toBe(2);
  });

  test.each<[string, Behaviour, object]>([
    ["500", 500, { status: 500 }],
    ["503, which may come from a proxy after the receiver took it", 503, { status: 503 }],
    ["429", 429, { status: 429 }],
    ["a refusal", 403, { status: 403 }],
    ["a redirection", 307, { status: 307 }],
    ["a lost connection", "drop", { reason: "UND_ERR_SOCKET" }],
    ["silence", "hang", { reason: "TimeoutError" }],
  ])("%s failed, perhaps halfway, and is not repeated", async (_, behaviour, why) => {
    await using http = await receiver(behaviour);
    const error = await failureOf(webhook({ url: http.url, timeout: millis(300) }).restart(server("nats-1")));
    expect(error).toMatchObject({ code: "restart.failed", details: { begun: true, ...why } });
    expect(allOf(error)).not.toMatch(secrets);
    expect(http.received).toHaveLength(1);
  });

  /** A counting clock: it is asked once for the request's timestamp, and once for the signature of each attempt. */
  const countingClock = () => {
    let asked = 0;
    const now = () => {
      asked += 1;
      return systemClock.now();
    };
    return { ...systemClock, now, tries: () => asked - 1 };
  };

  test("an unreachable receiver is tried three times, and nothing has begun", async () => {
    const gone = await receiver(200);
    await gone[Symbol.asyncDispose]();
    const clock = countingClock();
    const error = await failureOf(webhook({ url: gone.url, clock }).restart(server("nats-1")));
    expect(error.details).toMatchObject({ begun: false, reason: "ECONNREFUSED" });
    expect(clock.tries()).toBe(3);
  });

  test("a receiver that is reachable at the second attempt gets the request", async () => {
    const gone = await receiver(200);
    await gone[Symbol.asyncDispose]();
    const clock = countingClock();
    const restarting = webhook({ url: gone.url, clock, pause: millis(1_000) }).restart(server("nats-1"));
    await waitFor("the first try", () => clock.tries() === 1);
    // Refuses connections until after the first attempt.
    await expect(fetch(gone.url)).rejects.toThrow("fetch failed");
    await using back = await receiver(200, gone.port);
    await restarting;
    expect({ tries: clock.tries(), received: back.received.length }).toEqual({ tries: 2, received: 1 });
  });

  test.each([
    ["a secret that can't sign", { secret: "whsec_%%SECRET%%" }, "secret.malformed"],
    ["an invalid address", { url: "SECRET" }, "config.invalid"],
  ])("%s is refused at once", (_, settings, code) => {
    const open = () => webhook({ url: "http://127.0.0.1:1", ...settings });
    expect(open).toThrow(expect.objectContaining({ code }) as unknown as Error);
    expect(open).not.toThrow("SECRET");
  });
}
