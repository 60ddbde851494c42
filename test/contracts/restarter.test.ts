import { once } from "node:events";
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "@jest/globals";
import { createUser } from "@nats-io/nkeys";
import { Webhook } from "standardwebhooks";
import { isAlive } from "../../lab/alive.ts";
import { seedOf } from "../../lab/keys.ts";
import { endServer, processIdOf } from "../../lab/restart-server.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { waitFor } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { systemClock } from "../../lib/adapters/local/clock.ts";
import { type CommandSettings, commandRestarter } from "../../lib/adapters/restart/command.ts";
import { type KubernetesSettings, kubernetesRestarter } from "../../lib/adapters/restart/kubernetes.ts";
import { kubernetesApi } from "../../lib/adapters/restart/kubernetes-api.ts";
import { type WebhookSettings, webhookRestarter } from "../../lib/adapters/restart/webhook.ts";
import { openApp } from "../../lib/compose.ts";
import { millis } from "../../lib/domain/time.ts";
import { RelightError } from "../../lib/errors.ts";
import { createLog, redactText } from "../../lib/log.ts";
import type { Restarter } from "../../lib/ports.ts";
import { type FakeKubernetes, fakeKubernetes } from "../support/fake-kubernetes.ts";
import { NAMESPACE, STATEFUL_SET, server, type TestKubernetes, type Who } from "../support/kubernetes.ts";
import { realKubernetes } from "../support/real-kubernetes.ts";

const SEED = seedOf(createUser());
const SECRET = `whsec_${Buffer.from("a secret of a test, long enough").toString("base64")}`;
const none = (): void => undefined;
const LONG = millis(30_000);
const SHORT = millis(1_000);

/** A restarter of servers nats-0 to nats-2, and the names of those that were restarted, in order. */
interface Harness extends AsyncDisposable {
  readonly restarter: Restarter;
  readonly restarted: () => Promise<readonly string[]>;
}
/** `hangs`: not carried out within {@link SHORT}, its time limit. What `fails` speaks of {@link SEED}. */
type Open = (how: "works" | "fails" | "hangs") => Promise<Harness>;

function restarterContract(open: Open): void {
  test("restarts the right server, once, and it is done when it says so", async () => {
    await using harness = await open("works");
    await harness.restarter.restart(server("nats-1"));
    expect(await harness.restarted()).toEqual(["nats-1"]);
  });

  test("what fails is restart.failed, names the server, and tells no secret", async () => {
    await using harness = await open("fails");
    const error = await failureOf(harness.restarter.restart(server("nats-1")));
    expect(error).toMatchObject({ code: "restart.failed", retryable: false });
    expect(error.message).toContain('restarting the server "nats-1" failed: ');
    expect(error.details).toMatchObject({ server: { name: "nats-1" }, begun: expect.any(Boolean) });
    expect(allOf(error)).not.toMatch(secrets);
    expect(await harness.restarted()).toEqual([]);
  });

  test("the time limit holds", async () => {
    await using harness = await open("hangs");
    const begun = performance.now();
    const error = await failureOf(harness.restarter.restart(server("nats-1")));
    expect(performance.now() - begun).toBeGreaterThanOrEqual(SHORT - 50);
    expect(performance.now() - begun).toBeLessThan(5 * SHORT);
    expect(error).toMatchObject({ code: "restart.failed", details: { begun: true } });
    expect(allOf(error)).not.toMatch(secrets);
  });

  test("a server whose name or id could be read as anything else is refused, and nothing is done", async () => {
    await using harness = await open("works");
    for (const bad of HARMFUL.flatMap((text) => [server(text), { id: text, name: "nats-1" }])) {
      const error = await failureOf(harness.restarter.restart(bad));
      expect(error).toMatchObject({ code: "restart.failed", details: { begun: false } });
      expect(error.message).toContain("is refused: only A-Z");
    }
    expect(await harness.restarted()).toEqual([]);
  });
}

const HARMFUL = [
  ...[
    "",
    "-oProxyCommand=x",
    "a b",
    "a;b",
    "$(x)",
    "{name}",
    "../x",
    ".",
    "a/b",
    "a\nb",
    "ä",
    "x".repeat(300),
  ],
];

const secrets = new RegExp(`${SEED}|QUERY-SECRET|that-must-stay-secret|${SECRET.slice(6)}`);

/** The error of a restart that has to fail. */
async function failureOf(restart: Promise<void> | undefined): Promise<RelightError> {
  const error: unknown = await restart?.then(
    () => undefined,
    (thrown) => thrown,
  );
  if (error instanceof RelightError) return error;
  throw new Error(`it should have failed with a RelightError: ${String(error)}`);
}

/** All that a log or a terminal could show of an error, its causes included. */
function allOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return [JSON.stringify(error), error.stack, JSON.stringify({ ...error }), allOf(error.cause)].join("\n");
}

describe("command", () => {
  restarterContract(openCommand);
  commandTests();
});

const command = (words: readonly string[], settings: Partial<CommandSettings> = {}): Restarter =>
  commandRestarter({
    ...{ command: words, timeout: LONG, grace: millis(200), env: process.env, redactText },
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
  test("gets the server's name and id, as arguments and in the environment, and no shell reads them", async () => {
    const script = `[ "$1|$2|$3" = "x-nats-1-nats-1|N${"A".repeat(55)}|{other} \\$(x)" ] && [ "$RELIGHT_SERVER_NAME|$RELIGHT_SERVER_ID" = "nats-1|$2" ]`;
    await command(["sh", "-c", script, "sh", "x-{name}-{name}", "{id}", "{other} $(x)"]).restart(
      server("nats-1"),
    );
  });

  test("the last lines of its standard error say why it failed", async () => {
    const script = "seq 1 100000 >&2; echo >&2; echo nobody reads this; exit 7";
    const error = await failureOf(command(["sh", "-c", script]).restart(server("nats-1")));
    expect(error.message).toMatch(/ended with exit code 7: 99996\n99997\n99998\n99999\n100000$/);
    expect(error.details).toMatchObject({ begun: true, exitCode: 7, signal: null });
  });

  test.each([
    ["that is not there", "no-such-program-anywhere", "was not found"],
    ["that may not be run", "plain", "could not be started (EACCES)"],
  ])("a program %s is said to be so, and nothing was begun", async (_, name, why) => {
    const folder = await mkdtemp(join(tmpdir(), "relight-test-"));
    await writeFile(join(folder, "plain"), "");
    await chmod(join(folder, "plain"), 0o600);
    const error = await failureOf(command([join(folder, name)]).restart(server("nats-1")));
    expect(error.message).toContain(why);
    expect(error.details).toMatchObject({ begun: false });
    await rm(folder, { recursive: true });
  });

  test("without a place for its standard error nothing is begun", async () => {
    const error = await failureOf(command(["true"], { folder: "/nowhere" }).restart(server("nats-1")));
    expect(error.message).toContain("no file could be made in /nowhere (ENOENT)");
    expect(error.details).toMatchObject({ begun: false });
  });

  test("it leaves no file behind", async () => {
    const folder = await mkdtemp(join(tmpdir(), "relight-test-"));
    await command(["true"], { folder }).restart(server("nats-1"));
    await failureOf(command(["false"], { folder }).restart(server("nats-1")));
    expect(await readdir(folder)).toEqual([]);
    await rm(folder, { recursive: true });
  });

  test("a program that is ended by a signal has failed", async () => {
    const error = await failureOf(command(["sh", "-c", "kill -KILL $$"]).restart(server("nats-1")));
    expect(error.message).toContain("was ended by SIGKILL");
  });

  test("at the time limit it ends, and all that it started, though they don't want to", async () => {
    const folder = await mkdtemp(join(tmpdir(), "relight-test-"));
    const file = join(folder, "pids");
    const script = `trap "" TERM; sleep 60 & echo $! $$ > ${file}; wait; sleep 60`;
    const error = await failureOf(
      command(["sh", "-c", script], { timeout: millis(500) }).restart(server("nats-1")),
    );
    expect(error.message).toContain("did not end within");
    const pids = (await readFile(file, "utf8")).trim().split(" ").map(Number);
    expect(pids).toHaveLength(2);
    await waitFor("both to be gone", () => pids.every((pid) => !isAlive(pid)));
    await rm(folder, { recursive: true });
  });

  test("what it leaves running neither holds it up nor dies of it", async () => {
    const folder = await mkdtemp(join(tmpdir(), "relight-test-"));
    const file = join(folder, "said");
    // It goes on writing to its standard error after the command ended.
    const daemon = `for i in 1 2 3 4 5; do sleep 0.1; echo $i >&2 || exit 1; done; echo lives > ${file}`;
    await command(["sh", "-c", `(${daemon}) &`], { timeout: millis(10_000) }).restart(server("nats-1"));
    await waitFor("the daemon to get through", () => readFile(file, "utf8").catch(() => undefined));
    await rm(folder, { recursive: true });
  });
}

describe("as the configuration has it", () => {
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

  test("there is none, a webhook, a StatefulSet, or a command that restarts a real nats-server", async () => {
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
      expect(error.message).toContain("none of the folders is of the server nats-1");
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

/** How a receiver behaves at a try: a status, `hang` (never answers) or `drop` (closes the connection). */
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
    ...{ clock: systemClock, secret: SECRET, timeout: LONG, pause: millis(1), newId: () => `id-${++orders}` },
    ...settings,
  });

async function openWebhook(how: "works" | "fails" | "hangs"): Promise<Harness> {
  const behaviour = ({ works: 204, fails: 500, hangs: "hang" } as const)[how];
  const http = await receiver(behaviour);
  return {
    restarter: webhook({ url: http.url, timeout: how === "hangs" ? SHORT : LONG }),
    restarted: async () =>
      how === "works" ? http.received.map(({ body }) => JSON.parse(body).data.server.name) : [],
    [Symbol.asyncDispose]: () => http[Symbol.asyncDispose](),
  };
}

function webhookTests(): void {
  test("the order is signed so that the Standard Webhooks library verifies it", async () => {
    await using http = await receiver(200);
    await webhook({ url: http.url }).restart(server("nats-1"));
    const [{ body, headers } = { body: "", headers: {} }] = http.received;
    expect(new Webhook(SECRET).verify(body, headers as Record<string, string>)).toEqual({
      type: "server.restart",
      timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
      data: { server: { id: `N${"A".repeat(55)}`, name: "nats-1" } },
    });
  });

  test("202 with nothing else is accepted", async () => {
    await using http = await receiver(202);
    await webhook({ url: http.url }).restart(server("nats-1"));
    expect(http.received).toHaveLength(1);
  });

  test("each order has an id of its own", async () => {
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
  ])("%s has failed, perhaps halfway, and is not asked for again", async (_, behaviour, why) => {
    await using http = await receiver(behaviour);
    const error = await failureOf(webhook({ url: http.url, timeout: millis(300) }).restart(server("nats-1")));
    expect(error).toMatchObject({ code: "restart.failed", details: { begun: true, ...why } });
    expect(allOf(error)).not.toMatch(secrets);
    expect(http.received).toHaveLength(1);
  });

  /** A clock that counts: it is asked once for the order's timestamp, and once for the signature of each try. */
  const countingClock = () => {
    let asked = 0;
    const now = () => {
      asked += 1;
      return systemClock.now();
    };
    return { now, tries: () => asked - 1 };
  };

  test("who can't be connected to is tried three times, and nothing has begun", async () => {
    const gone = await receiver(200);
    await gone[Symbol.asyncDispose]();
    const clock = countingClock();
    const error = await failureOf(webhook({ url: gone.url, clock }).restart(server("nats-1")));
    expect(error.details).toMatchObject({ begun: false, reason: "ECONNREFUSED" });
    expect(clock.tries()).toBe(3);
  });

  test("who can be connected to at the second try gets the order", async () => {
    const gone = await receiver(200);
    await gone[Symbol.asyncDispose]();
    const clock = countingClock();
    const restarting = webhook({ url: gone.url, clock, pause: millis(1_000) }).restart(server("nats-1"));
    await waitFor("the first try", () => clock.tries() === 1);
    // Refused after the first try was, so that the receiver comes back too late for that.
    await expect(fetch(gone.url)).rejects.toThrow("fetch failed");
    await using back = await receiver(200, gone.port);
    await restarting;
    expect({ tries: clock.tries(), received: back.received.length }).toEqual({ tries: 2, received: 1 });
  });

  test.each([
    ["a secret that can't sign", { secret: "whsec_%%SECRET%%" }, "secret.malformed"],
    ["an address that is none", { url: "SECRET" }, "config.invalid"],
  ])("%s is refused at once", (_, settings, code) => {
    const open = () => webhook({ url: "http://127.0.0.1:1", ...settings });
    expect(open).toThrow(expect.objectContaining({ code }) as unknown as Error);
    expect(open).not.toThrow("SECRET");
  });
}

const kubernetes = (
  cluster: TestKubernetes,
  who: Who = "relight",
  settings: Partial<KubernetesSettings> = {},
): Restarter =>
  kubernetesRestarter({
    ...{ namespace: NAMESPACE, statefulSet: STATEFUL_SET, kubeconfig: cluster.kubeconfig(who) },
    ...{ timeout: LONG, interval: millis(20), env: {}, redactText },
    ...settings,
  });

/** The suite runs on the stand-in always, and on a real API server where its binaries are named. */
const BINARIES = process.env["RELIGHT_KUBE_APISERVER"];
const REAL = "Kubernetes on a real API server";

describe("Kubernetes on a stand-in", () => kubernetesSuite(fakeKubernetes));
if (BINARIES !== undefined) describe(REAL, () => kubernetesSuite(() => realKubernetes(BINARIES)));
else {
  const needs = "RELIGHT_KUBE_APISERVER, a folder with etcd, kube-apiserver and kube-controller-manager";
  console.warn(`SKIPPED, NOT TESTED: "${REAL}" needs ${needs}`);
  describe.skip(REAL, () => kubernetesSuite(fakeKubernetes));
}

describe("Kubernetes in trouble", kubernetesTroubles);

function openKubernetes(start: () => Promise<TestKubernetes>): Open {
  return async (how) => {
    const cluster = await start();
    const before = await cluster.uids();
    if (how === "hangs") cluster.holdBack();
    const who = how === "fails" ? "reader" : "relight";
    return {
      restarter: kubernetes(cluster, who, how === "hangs" ? { timeout: SHORT } : {}),
      restarted: async () => {
        const now = await cluster.uids();
        const names = Object.keys(before).filter((name) => now[name] !== before[name]);
        for (const name of names) expect(await cluster.isReady(name)).toBe(true);
        return names;
      },
      [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
    };
  };
}

function kubernetesSuite(start: () => Promise<TestKubernetes>): void {
  restarterContract(openKubernetes(start));

  test.each<[string, string, (cluster: TestKubernetes) => unknown, Who, object, string | RegExp]>([
    ["a server without a pod", "nats-7", none, "admin", {}, "the namespace nats has no pod nats-7"],
    [
      "a foreign pod",
      "web-0",
      (it) => it.addPod("web-0"),
      "admin",
      {},
      "does not belong to the StatefulSet nats",
    ],
    ["a replica not ready", "nats-1", (it) => it.spoil("nats-2"), "relight", {}, /only 2 of .* 3 replicas/],
    ["a changed template", "nats-1", (it) => it.changeTemplate(), "relight", {}, /would come back changed/],
    [
      "no right to delete",
      "nats-1",
      none,
      "reader",
      {},
      'not allowed to delete pods "nats-1" in the namespace nats',
    ],
    ["an unknown token", "nats-1", none, "stranger", {}, "credentials were not accepted (HTTP 401)"],
    ["no such StatefulSet", "nats-1", none, "admin", { statefulSet: "web" }, "has no StatefulSet web"],
  ])("%s: nothing is deleted, and it says why", async (_, name, prepare, who, settings, why) => {
    await using cluster = await start();
    await prepare(cluster);
    const before = await cluster.uids();
    const error = await failureOf(kubernetes(cluster, who, settings).restart(server(name)));
    expect(error).toMatchObject({ code: "restart.failed", details: { begun: false } });
    expect(error.message).toEqual(
      why instanceof RegExp ? expect.stringMatching(why) : expect.stringContaining(why),
    );
    expect(allOf(error)).not.toMatch(secrets);
    expect(await cluster.uids()).toEqual(before);
  });

  test("a pod that took the other's place is not deleted", async () => {
    await using cluster = await start();
    const before = await cluster.uids();
    const api = kubernetesApi({
      ...{ namespace: NAMESPACE, kubeconfig: cluster.kubeconfig("relight"), env: {}, redactText },
    });
    const limit = AbortSignal.timeout(LONG);
    const other = before["nats-2"] ?? "";
    expect(await api.deletePod("nats-1", other, limit)).toMatchObject({ ok: false, status: 409 });
    expect(await cluster.uids()).toEqual(before);
    expect(await api.deletePod("nats-1", before["nats-1"] ?? "", limit)).toMatchObject({ ok: true });
  });
}

function kubernetesTroubles(): void {
  const restart = async (prepare: (cluster: FakeKubernetes) => void, settings = {}) => {
    await using cluster = await fakeKubernetes();
    prepare(cluster);
    const restarting = kubernetes(cluster, "relight", settings).restart(server("nats-1"));
    const error = await restarting.then(
      () => undefined,
      (thrown: RelightError) => thrown,
    );
    expect(allOf(error)).not.toMatch(secrets);
    return { error, requests: cluster.requests };
  };
  const deletions = (requests: readonly string[]) => requests.filter((each) => each.startsWith("DELETE"));

  test("it looks before it deletes, deletes once, and then only looks", async () => {
    const { error, requests } = await restart(none);
    expect(error).toBeUndefined();
    const begin = ["GET pods/nats-1", "GET statefulsets/nats", "DELETE pods/nats-1"];
    expect(requests.slice(0, 3)).toEqual(begin);
    expect(new Set(requests.slice(3))).toEqual(new Set(["GET pods/nats-1"]));
  });

  test("a pod that is replaced between the look and the deletion is left alone", async () => {
    const { error } = await restart((it) => it.before("DELETE", () => it.replace("nats-1")));
    expect(error?.message).toContain("its pod was replaced meanwhile");
    expect(error?.details).toMatchObject({ begun: false, status: 409 });
  });

  test.each(["drop", 500, "hang"] as const)(
    "a deletion answered with %s may have been carried out, and is not repeated",
    async (trouble) => {
      const settings = { requestTimeout: millis(300) };
      const { error, requests } = await restart((it) => it.trouble("DELETE", trouble), settings);
      expect(error).toMatchObject({ code: "restart.failed", details: { begun: true } });
      expect(deletions(requests)).toEqual([]);
    },
  );

  test.each(["drop", 500, "hang"] as const)(
    "a first look answered with %s ends it before anything is done",
    async (trouble) => {
      const settings = { requestTimeout: millis(300) };
      const { error, requests } = await restart((it) => it.trouble("GET", trouble), settings);
      expect(error).toMatchObject({ code: "restart.failed", details: { begun: false } });
      expect(requests).toEqual([]);
    },
  );

  test("trouble while it waits is borne", async () => {
    const trouble = (it: FakeKubernetes) => it.before("DELETE", () => it.trouble("GET", 503, "drop", "hang"));
    const { error, requests } = await restart(trouble, { requestTimeout: millis(300) });
    expect(error).toBeUndefined();
    expect(deletions(requests)).toHaveLength(1);
  });

  test("at the time limit it says what keeps the new pod", async () => {
    const { error } = await restart((it) => it.holdBack(), { timeout: SHORT });
    expect(error?.message).toContain(
      "no new pod was Ready within 1s: it is Pending (nats: ContainerCreating)",
    );
  });

  test("a time limit that comes before the deletion leaves the pod alone", async () => {
    const { error, requests } = await restart((it) => it.trouble("GET", "hang"), { timeout: millis(300) });
    expect(error?.details).toMatchObject({ begun: false });
    expect(deletions(requests)).toEqual([]);
  });

  test("what the API server says is redacted", async () => {
    const { error } = await restart((it) => it.trouble("DELETE", 500));
    expect(error?.message).toMatch(/HTTP 500: trouble with \[webhook secret\]$/);
  });

  test("nobody there is said to be so", async () => {
    const { error } = await restart(none, { context: "nowhere" });
    expect(error?.message).toContain("no answer (ECONNREFUSED)");
    expect(error?.details).toMatchObject({ begun: false });
  });

  test.each<[string, Partial<KubernetesSettings>, string, string]>([
    ["is none", { kubeconfig: "{ a: [that-must-stay-secret" }, "secret.malformed", "can't be read"],
    ["is empty", { kubeconfig: "{}" }, "config.invalid", "no current context"],
    ["lacks the context", { context: "absent" }, "config.invalid", 'no context "absent"'],
    [
      "lacks the context's cluster",
      { context: "broken" },
      "config.invalid",
      'no context "broken" with a cluster',
    ],
  ])("a kubeconfig that %s is refused at once", async (_, settings, code, why) => {
    await using cluster = await fakeKubernetes();
    const open = () => kubernetes(cluster, "relight", settings);
    expect(open).toThrow(expect.objectContaining({ code }) as unknown as Error);
    expect(open).toThrow(why);
    expect(open).not.toThrow(secrets);
  });
}
