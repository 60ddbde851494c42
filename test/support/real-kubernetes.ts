import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import {
  AppsV1Api,
  CoreV1Api,
  KubeConfig,
  KubernetesObjectApi,
  loadAllYaml,
  type V1Pod,
} from "@kubernetes/client-node";
import { freePorts } from "../../lab/nats-server.ts";
import { retry, waitFor } from "../../lab/wait.ts";
import { kubeconfigFor, NAMESPACE, STATEFUL_SET, type TestKubernetes, tokenOf, type Who } from "./kubernetes.ts";

/** Users by token: the service account of docs/restarts.md, one that may only read, and an admin. */
const USERS = [
  `${tokenOf("admin")},admin,1,system:masters`,
  `${tokenOf("relight")},system:serviceaccount:nats:relight,2`,
  `${tokenOf("reader")},reader,3`,
].join("\n");

/** The Role and RoleBinding in docs/restarts.md, to the letter. */
function documentedRights(): string {
  const page = readFileSync(join(import.meta.dirname, "..", "..", "docs", "restarts.md"), "utf8");
  return /```yaml\n(apiVersion: rbac[\s\S]*?)```/.exec(page)?.[1] ?? "";
}

/** The same with everything except deletion. */
const readerRights = (): string =>
  documentedRights()
    .replaceAll("relight-restarts", "reader")
    .replace("[get, delete]", "[get]")
    .replace("kind: ServiceAccount, name: relight, namespace: nats", "kind: User, name: reader");

/**
 * etcd, kube-apiserver and kube-controller-manager (only its StatefulSet controller) from a folder, and a kubelet of a
 * few lines, which makes pods Ready and lets deleted ones terminate. kubernetes-binaries.sh fills the folder.
 */
export async function realKubernetes(binaries: string): Promise<TestKubernetes> {
  const folder = await mkdtemp(join(tmpdir(), "relight-kubernetes-"));
  const children: ChildProcess[] = [];
  const start = (name: string, ...args: readonly string[]): void => {
    const log = openSync(join(folder, `${name}.log`), "w");
    children.push(spawn(join(binaries, name), args, { cwd: folder, stdio: ["ignore", log, log] }));
  };
  const [etcd, peers, port] = await freePorts(3);
  const address = `https://127.0.0.1:${port}`;
  spawnSync("openssl", ["genrsa", "-out", "sa.key", "2048"], { cwd: folder });
  spawnSync("openssl", ["rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub"], { cwd: folder });
  await writeFile(join(folder, "tokens.csv"), USERS);
  start(
    ...(["etcd", "--data-dir", "etcd", "--unsafe-no-fsync"] as const),
    ...["--listen-client-urls", `http://127.0.0.1:${etcd}`, "--advertise-client-urls"],
    ...[`http://127.0.0.1:${etcd}`, "--listen-peer-urls", `http://127.0.0.1:${peers}`],
  );
  start(
    ...(["kube-apiserver", "--etcd-servers", `http://127.0.0.1:${etcd}`] as const),
    ...["--secure-port", String(port), "--bind-address", "127.0.0.1", "--cert-dir", "certificates"],
    ...["--service-account-issuer", "https://relight.test", "--service-account-key-file", "sa.pub"],
    ...["--service-account-signing-key-file", "sa.key", "--token-auth-file", "tokens.csv"],
    ...["--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.0.0.0/24"],
    ...["--disable-admission-plugins", "ServiceAccount"],
  );
  const authority = await retry("the API server's certificate", async () =>
    readFileSync(join(folder, "certificates", "apiserver.crt")).toString("base64"),
  );
  const kubeconfig = (who: Who): string => kubeconfigFor(address, tokenOf(who), authority);
  await writeFile(join(folder, "admin.kubeconfig"), kubeconfig("admin"));
  const admin = new KubeConfig();
  admin.loadFromString(kubeconfig("admin"));
  const core = admin.makeApiClient(CoreV1Api);
  const apps = admin.makeApiClient(AppsV1Api);
  const objects = KubernetesObjectApi.makeApiClient(admin);

  await retry("the API server to have namespaces", () =>
    core.createNamespace({ body: { metadata: { name: NAMESPACE } } }),
  );
  start(
    ...(["kube-controller-manager", "--kubeconfig", "admin.kubeconfig"] as const),
    ...["--controllers", "statefulset-controller", "--leader-elect=false", "--secure-port", "0"],
  );
  for (const text of [documentedRights(), readerRights()])
    for (const object of loadAllYaml(text)) await retry("RBAC", () => objects.create(object));
  await apps.createNamespacedStatefulSet({ namespace: NAMESPACE, body: statefulSet() });

  const kubelet = startKubelet(core);
  const pods = async (): Promise<readonly V1Pod[]> => (await core.listNamespacedPod({ namespace: NAMESPACE })).items;
  const readyReplicas = async (): Promise<number> =>
    (await apps.readNamespacedStatefulSet({ namespace: NAMESPACE, name: STATEFUL_SET })).status?.readyReplicas ?? 0;
  await waitFor("three pods to be ready", async () => (await readyReplicas()) === 3, { timeout: 30_000 });

  return {
    kubeconfig,
    uids: async () => Object.fromEntries((await pods()).map(({ metadata }) => [metadata?.name, metadata?.uid])),
    isReady: async (name) => (await pods()).some((pod) => pod.metadata?.name === name && isReady(pod)),
    holdBack: () => kubelet.holdBack(),
    spoil: async (name) => {
      kubelet.holdBack();
      await setReady(core, await core.readNamespacedPod({ namespace: NAMESPACE, name }), false);
      await waitFor("the StatefulSet to know", async () => (await readyReplicas()) === 2);
    },
    addPod: async (name) => {
      const { spec } = statefulSet().spec.template;
      await core.createNamespacedPod({ namespace: NAMESPACE, body: { metadata: { name }, spec } });
    },
    changeTemplate: async () => {
      const body = [{ op: "add", path: "/spec/template/metadata/annotations", value: { changed: "yes" } }];
      const set = await apps.patchNamespacedStatefulSet({ namespace: NAMESPACE, name: STATEFUL_SET, body });
      await waitFor("the StatefulSet to be observed", async () => {
        const { status } = await apps.readNamespacedStatefulSet({ namespace: NAMESPACE, name: STATEFUL_SET });
        return status?.observedGeneration === set.metadata?.generation;
      });
    },
    [Symbol.asyncDispose]: async () => {
      await kubelet.stop();
      for (const child of children.reverse()) await end(child);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const statefulSet = () => ({
  metadata: { name: STATEFUL_SET },
  spec: {
    replicas: 3,
    serviceName: "nats",
    podManagementPolicy: "Parallel",
    updateStrategy: { type: "OnDelete" },
    selector: { matchLabels: { app: "nats" } },
    template: {
      metadata: { labels: { app: "nats" } },
      // A node that does not exist: nothing is scheduled, and only our kubelet handles the pods.
      spec: { nodeName: "node-1", containers: [{ name: "nats", image: "nats" }] },
    },
  },
});

const isReady = ({ status }: V1Pod): boolean =>
  status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") ?? false;

async function setReady(core: CoreV1Api, pod: V1Pod, ready: boolean): Promise<void> {
  const name = pod.metadata?.name ?? "";
  const waiting = { waiting: { reason: "CrashLoopBackOff" } };
  const status = {
    ...pod.status,
    phase: "Running",
    conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
    containerStatuses: [
      {
        name: "nats",
        image: "nats",
        imageID: "",
        ready,
        restartCount: 0,
        state: ready ? { running: {} } : waiting,
      },
    ],
  };
  await core.replaceNamespacedPodStatus({ namespace: NAMESPACE, name, body: { ...pod, status } });
}

function startKubelet(core: CoreV1Api): { holdBack: () => void; stop: () => Promise<void> } {
  const stopped = new AbortController();
  let heldBack = false;
  const look = async (pod: V1Pod): Promise<void> => {
    const { name = "", uid, deletionTimestamp } = pod.metadata ?? {};
    if (deletionTimestamp !== undefined) {
      const body = { gracePeriodSeconds: 0, ...(uid && { preconditions: { uid } }) };
      await core.deleteNamespacedPod({ namespace: NAMESPACE, name, body });
    } else if (!isReady(pod) && !heldBack) await setReady(core, pod, true);
  };
  const round = async (): Promise<void> => {
    const { items } = await core.listNamespacedPod({ namespace: NAMESPACE });
    // A pod that changed meanwhile is handled in the next round.
    for (const pod of items) await look(pod).catch(() => undefined);
  };
  const running = (async () => {
    while (!stopped.signal.aborted) {
      await round().catch(() => undefined);
      await pause(100, undefined, { signal: stopped.signal }).catch(() => undefined);
    }
  })();
  return {
    holdBack: () => {
      heldBack = true;
    },
    stop: async () => {
      stopped.abort();
      await running;
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}
