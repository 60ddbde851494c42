import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { freePorts } from "../../lab/nats-server.ts";
import { expire, fill, forgetJwt, renewByHand } from "../../lab/scenario.ts";
import { serverBinary, VERSIONS, type Version } from "../../lab/server-binaries.ts";
import { waitFor } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { sampleOf } from "../support/exhaustive.ts";
import type { Run } from "../support/relight.ts";
import { relight } from "../support/resident.ts";

const worldOf = async (version: Version, size = 1): Promise<World> =>
  createWorld({ binary: (await serverBinary(version)).path, size });

interface Seen {
  readonly id: string;
  readonly verdict: string;
  readonly evidence: readonly {
    readonly health: string;
    readonly message: string;
    readonly about?: string;
  }[];
}

const layersOf = ({ json }: Run): readonly Seen[] => json.cluster.layers;
const verdicts = (run: Run): Record<string, string> =>
  Object.fromEntries(layersOf(run).map(({ id, verdict }) => [id, verdict]));
const saysOf = (run: Run, layer: string): string =>
  (layersOf(run).find(({ id }) => id === layer)?.evidence ?? [])
    .filter(({ health }) => health !== "healthy")
    .map(({ message }) => message)
    .join("\n");

const HEALTHY = {
  servers: "healthy",
  jetstream: "healthy",
  meta: "healthy",
  accounts: "healthy",
  streams: "healthy",
  subjects: "healthy",
};

/** Runs the doctor until its report is as expected; elections and catching up pass. */
async function doctorUntil(world: World, what: string, is: (run: Run) => boolean, timeout = 60_000): Promise<Run> {
  let last: Run | undefined;
  const look = async (): Promise<Run | undefined> => {
    last = await relight(world, "doctor", "--json");
    return is(last) ? last : undefined;
  };
  return waitFor(`the doctor to say ${what}`, look, { timeout }).catch((error: Error) => {
    throw new Error(`${error.message}: ${last?.stdout}`);
  });
}

const isHealthy = (run: Run): boolean => run.json.cluster.verdict === "healthy";

/** Known defects that each has. */
const ISSUES: Readonly<Record<Version, readonly string[]>> = {
  "2.9.25": ["#6806", "#6766", "#6498", "#8084"],
  "2.10.20": ["#6806", "#6766", "#5700", "#6498", "#6753", "#8084"],
  "2.10.27": ["#6806", "#6766", "#6753", "#8084"],
  "2.12.5": ["#8084"],
  "2.15.2": [],
};

describe.each(sampleOf<Version>(["2.10.27"], VERSIONS))("a cluster of three nats-servers %s", (version) => {
  test("is healthy layer by layer; without one server it is degraded, not dead", async () => {
    await using world = await worldOf(version, 3);
    await fill(world, { replicas: 3, messages: 3 });
    const well = await doctorUntil(world, "healthy", isHealthy);
    expect(verdicts(well)).toEqual(HEALTHY);
    expect(well).toMatchObject({ exit: 0, json: { cluster: { doNotRestart: [], healthz: [] } } });
    const [{ defects }] = well.json.cluster.versions;
    const issues = defects.map(({ issue }: { issue: string }) => issue);
    expect(issues).toEqual(ISSUES[version]);

    await world.servers[2]?.stop();
    const less = await doctorUntil(world, "that lab-3 is away", (run) => /lab-3 is offline/.test(saysOf(run, "meta")));
    expect(verdicts(less)).toMatchObject({ jetstream: "healthy", meta: "degraded", accounts: "healthy" });
    expect(less.exit).not.toBe(0);
    const seen = await doctorUntil(world, "which replicas lag", (run) => /lab-3/.test(saysOf(run, "streams")));
    expect(seen).toMatchObject({ exit: 1, json: { cluster: { verdict: "degraded" } } });
  });
});

test("an expired account fails the full /healthz, and forbids every restart", async () => {
  await using world = await worldOf("2.10.27", 3);
  await fill(world, { replicas: 3, messages: 3 });
  await expire(world);
  const expired = await relight(world, "doctor", "--json");
  expect(expired).toMatchObject({ exit: 2, json: { cluster: { verdict: "dead", doNotRestart: ["APP"] } } });
  expect(verdicts(expired)).toMatchObject({
    meta: "healthy",
    accounts: "dead",
    streams: "unknown",
    subjects: "unknown",
  });
  expect(saysOf(expired, "streams")).toBe("not checked, because the account's claims are not in force");
  expect(saysOf(expired, "accounts")).toMatch(/the account expired at .*; it has 2 streams/);

  // From then on no server can look it up.
  await forgetJwt(world);
  const failing = (run: Run): boolean => run.json.cluster.healthz.length === 3;
  const unhealthy = await doctorUntil(world, "that /healthz fails", failing);
  expect(unhealthy.json.cluster.healthz[0].message).toContain("account expired");
  expect(verdicts(unhealthy)).toMatchObject({ jetstream: "healthy", meta: "healthy", accounts: "dead" });
  const { stdout, exit } = await relight(world, "doctor");
  expect(exit).toBe(2);
  expect(stdout).toContain("DO NOT RESTART ANY SERVER NOW");
  expect(stdout).toContain("the full /healthz fails");
});

test("an account that is deaf after a renewal is healthy up to the last layer, and dead there", async () => {
  await using world = await worldOf("2.10.27");
  await fill(world, { messages: 3 });
  await expire(world);
  await renewByHand(world);
  const run = await relight(world, "doctor", "--json");
  expect(verdicts(run)).toEqual({ ...HEALTHY, subjects: "dead" });
  expect(saysOf(run, "subjects")).toContain("JetStream does not listen on orders.* of stream ORDERS");
  expect(run).toMatchObject({ exit: 2, json: { cluster: { doNotRestart: [], healthz: [] } } });
  expect((await relight(world, "doctor")).stdout).toContain("#6806");
});

describe("HTTP monitoring", () => {
  async function monitored(world: World, urls: readonly string[]): Promise<void> {
    const file = join(world.home, "relight.yaml");
    const text = (await readFile(file, "utf8")).replace(/\n {2}monitoring:.*/, "");
    await writeFile(file, text.replace("cluster:", `cluster:\n  monitoring: ${JSON.stringify(urls)}`));
  }

  test("is a second opinion: it answers, is unreachable, or is not nats-server's (2.9.25)", async () => {
    await using world = await worldOf("2.9.25");
    await fill(world, { messages: 3 });
    const [port, closed] = await freePorts(2);
    await world.server.stop();
    await appendFile(join(world.server.folder, "server.conf"), `\nhttp: "127.0.0.1:${port}"\n`);
    await world.server.start();
    await monitored(world, [`http://127.0.0.1:${port}/`]);
    const well = await doctorUntil(world, "healthy", isHealthy);
    expect(verdicts(well)).toEqual(HEALTHY);
    const { evidence } = layersOf(well)[1] ?? {};
    expect(evidence).toContainEqual(expect.objectContaining({ about: `http://127.0.0.1:${port}`, health: "healthy" }));
    expect(layersOf(well)[2]?.evidence[0]?.message).toContain("standalone");

    await monitored(world, [`http://127.0.0.1:${closed}`]);
    const away = await relight(world, "doctor", "--json");
    expect(away).toMatchObject({ exit: 3, json: { cluster: { verdict: "unknown" } } });
    expect(verdicts(away)).toEqual({ ...HEALTHY, servers: "unknown" });
    expect(saysOf(away, "servers")).toContain("ECONNREFUSED");

    const other = createServer((_request, response) => response.end("<html>hello</html>"));
    await new Promise<void>((done) => other.listen(0, "127.0.0.1", done));
    await monitored(world, [`http://127.0.0.1:${(other.address() as AddressInfo).port}`]);
    const wrong = await relight(world, "doctor", "--json").finally(() => other.close());
    expect(saysOf(wrong, "servers")).toContain("HTTP 200, but not as nats-server does");
    expect(verdicts(wrong)).toMatchObject({ servers: "unknown" });
  });

  test("and an unreachable cluster is unknown in every layer, not dead", async () => {
    await using world = await worldOf("2.15.2");
    await world.server.stop();
    const run = await relight(world, "doctor", "--json");
    expect(run.exit).toBe(3);
    expect(new Set(Object.values(verdicts(run)))).toEqual(new Set(["unknown"]));
    expect(saysOf(run, "servers")).toContain("cannot reach");
  });
});

describe("manifests", () => {
  const MANIFEST = join(import.meta.dirname, "..", "domain", "manifests", "helm-chart.yaml");

  test("are checked without a configuration; a configuration that is named must exist", async () => {
    const home = await mkdtemp(join(tmpdir(), "relight-doctor-"));
    try {
      const run = await relight({ home }, "doctor", "--manifest", MANIFEST, "--json");
      expect(run).toMatchObject({ exit: 2, json: { cluster: null } });
      expect(run.json.manifests[0].containers).toHaveLength(1);
      const text = await relight({ home }, "doctor", "--manifest", MANIFEST);
      expect(text.stdout).toContain("the cluster was not looked at");
      expect(text.stdout).toContain("path: /healthz?js-enabled-only=true");
      const named = await relight({ home }, "doctor", "--manifest", MANIFEST, "--config", "none.yaml");
      expect(named).toMatchObject({ exit: 3, stderr: expect.stringContaining("config.not_found") });
    } finally {
      await rm(home, { recursive: true });
    }
  });

  test.each([
    ["no YAML", "a: [", /is not YAML/],
    ["a Helm template", "spec: {{ .Values.spec }}\n  x: {{ y }}", /render it first/],
    ["without nats-server", "kind: Service\nmetadata: {name: nats}", /holds no StatefulSet/],
    ["nothing at all", "", /holds no StatefulSet/],
  ])("that are %s end it", async (_what, text, message) => {
    const home = await mkdtemp(join(tmpdir(), "relight-doctor-"));
    try {
      await writeFile(join(home, "nats.yaml"), text);
      const run = await relight({ home }, "doctor", "--manifest", "nats.yaml");
      expect(run).toMatchObject({ exit: 3, stdout: "", stderr: expect.stringMatching(message) });
    } finally {
      await rm(home, { recursive: true });
    }
  });

  test("are read from folders and patterns, with the ConfigMaps of other files and without Helm's templates", async () => {
    const home = await mkdtemp(join(tmpdir(), "relight-doctor-"));
    try {
      const probes =
        "livenessProbe: {httpGet: {path: /healthz, port: 8222}}, readinessProbe: {tcpSocket: {port: 4222}}";
      const pod = `containers: [{name: nats, image: "nats:2.10.27", args: [-c, /c/n.conf], ${probes}, volumeMounts: [{name: c, mountPath: /c}]}]`;
      const spec = `spec: {terminationGracePeriodSeconds: 60, ${pod}, volumes: [{name: c, configMap: {name: c}}]}`;
      await mkdir(join(home, "k8s", "base"), { recursive: true });
      await writeFile(join(home, "k8s", "base", "pod.yml"), `kind: Pod\nmetadata: {name: nats}\n${spec}\n`);
      await writeFile(
        join(home, "k8s", "config.yaml"),
        "kind: ConfigMap\nmetadata: {name: c}\ndata: {n.conf: 'port: 4222'}\n",
      );
      await writeFile(join(home, "k8s", "template.yaml"), "kind: Pod\nspec: {{ .Values.spec }}\n");
      for (const what of ["k8s", "k8s/**/*.y*ml"]) {
        const run = await relight({ home }, "doctor", "--manifest", what, "--json");
        expect(run).toMatchObject({ exit: 0, json: { manifests: [{ file: "k8s/base/pod.yml" }] } });
        expect(run.json.manifests[0].containers).toMatchObject([{ jetStream: "off", findings: [] }]);
      }
    } finally {
      await rm(home, { recursive: true });
    }
  });

  test("are checked beside the cluster with a configuration", async () => {
    await using world = await worldOf("2.15.2");
    await fill(world, { messages: 3 });
    const run = await relight(world, "doctor", "--manifest", MANIFEST, "--json");
    expect(verdicts(run)).toEqual(HEALTHY);
    expect(run).toMatchObject({ exit: 2, json: { cluster: { verdict: "healthy" } } });
  });
});
