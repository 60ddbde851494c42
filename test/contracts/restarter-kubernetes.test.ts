import { describe, expect, test } from "@jest/globals";
import { type KubernetesSettings, kubernetesRestarter } from "../../lib/adapters/restart/kubernetes.ts";
import { kubernetesApi } from "../../lib/adapters/restart/kubernetes-api.ts";
import { redactText } from "../../lib/domain/time/redact.ts";
import { millis } from "../../lib/domain/time/time.ts";
import type { RelightError } from "../../lib/errors.ts";
import type { Restarter } from "../../lib/ports/remedies.ts";
import { type FakeKubernetes, fakeKubernetes } from "../support/fake-kubernetes.ts";
import { NAMESPACE, STATEFUL_SET, server, type TestKubernetes, type Who } from "../support/kubernetes.ts";
import { realKubernetes } from "../support/real-kubernetes.ts";
import { allOf, failureOf, LONG, type Open, restarterContract, SHORT, secrets } from "../support/restarter-contract.ts";

const none = (): void => undefined;

const kubernetes = (
  cluster: TestKubernetes,
  who: Who = "relight",
  settings: Partial<KubernetesSettings> = {},
): Restarter =>
  kubernetesRestarter({
    namespace: NAMESPACE,
    statefulSet: STATEFUL_SET,
    kubeconfig: cluster.kubeconfig(who),
    timeout: LONG,
    interval: millis(20),
    env: {},
    redactText,
    ...settings,
  });

/** The suite always runs on the stand-in, and on a real API server if its binaries are configured. */
const BINARIES = process.env["RELIGHT_KUBE_APISERVER"];
const REAL = "Kubernetes on a real API server";

describe("Kubernetes on a stand-in", () => kubernetesSuite(fakeKubernetes));
if (BINARIES !== undefined) describe(REAL, () => kubernetesSuite(() => realKubernetes(BINARIES)));
else {
  const needs = "RELIGHT_KUBE_APISERVER, a folder with etcd, kube-apiserver and kube-controller-manager";
  console.warn(`SKIPPED, NOT TESTED: "${REAL}" needs ${needs}`);
  describe.skip(REAL, () => kubernetesSuite(fakeKubernetes));
}

describe("Kubernetes errors", kubernetesTroubles);

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
    ["a foreign pod", "web-0", (it) => it.addPod("web-0"), "admin", {}, "does not belong to the StatefulSet nats"],
    ["a replica not ready", "nats-1", (it) => it.spoil("nats-2"), "relight", {}, /only 2 of .* 3 replicas/],
    ["a changed template", "nats-1", (it) => it.changeTemplate(), "relight", {}, /would come back changed/],
    ["no right to delete", "nats-1", none, "reader", {}, 'not allowed to delete pods "nats-1" in the namespace nats'],
    ["an unknown token", "nats-1", none, "stranger", {}, "credentials were not accepted (HTTP 401)"],
    ["no such StatefulSet", "nats-1", none, "admin", { statefulSet: "web" }, "has no StatefulSet web"],
  ])("%s: nothing is deleted, and the reason is given", async (_, name, prepare, who, settings, why) => {
    await using cluster = await start();
    await prepare(cluster);
    const before = await cluster.uids();
    const error = await failureOf(kubernetes(cluster, who, settings).restart(server(name)));
    expect(error).toMatchObject({ code: "restart.failed", details: { begun: false } });
    expect(error.message).toEqual(why instanceof RegExp ? expect.stringMatching(why) : expect.stringContaining(why));
    expect(allOf(error)).not.toMatch(secrets);
    expect(await cluster.uids()).toEqual(before);
  });

  test("a replaced pod is not deleted", async () => {
    await using cluster = await start();
    const before = await cluster.uids();
    const api = kubernetesApi({
      namespace: NAMESPACE,
      kubeconfig: cluster.kubeconfig("relight"),
      env: {},
      redactText,
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
    "%s in answer to the first look ends it before anything is done",
    async (trouble) => {
      const settings = { requestTimeout: millis(300) };
      const { error, requests } = await restart((it) => it.trouble("GET", trouble), settings);
      expect(error).toMatchObject({ code: "restart.failed", details: { begun: false } });
      expect(requests).toEqual([]);
    },
  );

  test("errors during the wait are tolerated", async () => {
    const trouble = (it: FakeKubernetes) => it.before("DELETE", () => it.trouble("GET", 503, "drop", "hang"));
    const { error, requests } = await restart(trouble, { requestTimeout: millis(300) });
    expect(error).toBeUndefined();
    expect(deletions(requests)).toHaveLength(1);
  });

  test("at the timeout it says what keeps the new pod from being ready", async () => {
    const { error } = await restart((it) => it.holdBack(), { timeout: SHORT });
    expect(error?.message).toContain("no new pod was Ready within 1s: it is Pending (nats: ContainerCreating)");
  });

  test("a timeout before the deletion leaves the pod alone", async () => {
    const { error, requests } = await restart((it) => it.trouble("GET", "hang"), { timeout: millis(300) });
    expect(error?.details).toMatchObject({ begun: false });
    expect(deletions(requests)).toEqual([]);
  });

  test("the API server's messages are redacted", async () => {
    const { error } = await restart((it) => it.trouble("DELETE", 500));
    expect(error?.message).toMatch(/HTTP 500: trouble with \[webhook secret\]$/);
  });

  test("an unreachable API server is reported", async () => {
    const { error } = await restart(none, { context: "nowhere" });
    expect(error?.message).toContain("no answer (ECONNREFUSED)");
    expect(error?.details).toMatchObject({ begun: false });
  });

  test.each<[string, Partial<KubernetesSettings>, string, string]>([
    ["is not valid", { kubeconfig: "{ a: [that-must-stay-secret" }, "secret.malformed", "can't be read"],
    ["is empty", { kubeconfig: "{}" }, "config.invalid", "no current context"],
    ["lacks the context", { context: "absent" }, "config.invalid", 'no context "absent"'],
    ["lacks the context's cluster", { context: "broken" }, "config.invalid", 'no context "broken" with a cluster'],
  ])("a kubeconfig that %s is refused at once", async (_, settings, code, why) => {
    await using cluster = await fakeKubernetes();
    const open = () => kubernetes(cluster, "relight", settings);
    expect(open).toThrow(expect.objectContaining({ code }) as unknown as Error);
    expect(open).toThrow(why);
    expect(open).not.toThrow(secrets);
  });
}
