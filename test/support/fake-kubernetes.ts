import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { kubeconfigFor, STATEFUL_SET, type TestKubernetes, tokenOf } from "./kubernetes.ts";

/** What a request is answered with instead: a status, no answer (`hang`), or a closed connection (`drop`). */
type Trouble = number | "hang" | "drop";

/** How long pods take to terminate and to become Ready, in milliseconds. */
const TAKES = 30;
const REVISION = "nats-5d8f6c";

export interface FakeKubernetes extends TestKubernetes {
  /** `GET pods/nats-0`, …: every request, in order. */
  readonly requests: readonly string[];
  /** The next requests of this method fail like this, one after the other, before anything is done. */
  trouble(method: "GET" | "DELETE", ...troubles: readonly Trouble[]): void;
  /** Immediately another pod has this name. */
  replace(name: string): void;
  /** Runs before the next request of this method is handled. */
  before(method: "GET" | "DELETE", happens: () => void): void;
}

interface Pod {
  uid: string;
  ready: boolean;
  ending: boolean;
  readonly owned: boolean;
}

/**
 * The routes of the Kubernetes API that a restart uses, with the StatefulSet controller and the kubelet in one: a
 * deleted pod terminates after a while and is recreated with another uid. test/contracts/restarter-kubernetes.test.ts
 * runs the same suite against a real kube-apiserver if there is one.
 */
export async function fakeKubernetes(): Promise<FakeKubernetes> {
  const newPod = (): Pod => ({ uid: randomUUID(), ready: true, ending: false, owned: true });
  const pods = new Map<string, Pod>([0, 1, 2].map((index) => [`nats-${index}`, newPod()]));
  const set = { uid: randomUUID(), updateRevision: REVISION };
  const requests: string[] = [];
  const troubles = { GET: [] as Trouble[], DELETE: [] as Trouble[] };
  const hooks: Record<string, (() => void)[]> = { GET: [], DELETE: [] };
  const timers = new Set<NodeJS.Timeout>();
  let heldBack = false;

  const later = (work: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      work();
    }, TAKES);
    timers.add(timer);
  };
  const make = (name: string): void => {
    const pod = { ...newPod(), ready: false };
    pods.set(name, pod);
    later(() => {
      pod.ready = !heldBack;
    });
  };
  const end = (name: string, pod: Pod): void => {
    pod.ending = true;
    later(() => {
      pods.delete(name);
      later(() => make(name));
    });
  };

  const podObject = (name: string, { uid, ready, ending, owned }: Pod): object => ({
    kind: "Pod",
    apiVersion: "v1",
    metadata: {
      name,
      namespace: "nats",
      uid,
      labels: { "controller-revision-hash": REVISION },
      ...(ending && { deletionTimestamp: new Date().toISOString(), deletionGracePeriodSeconds: 60 }),
      ...(owned && {
        ownerReferences: [
          {
            apiVersion: "apps/v1",
            kind: "StatefulSet",
            name: STATEFUL_SET,
            uid: set.uid,
            controller: true,
            blockOwnerDeletion: true,
          },
        ],
      }),
    },
    status: {
      phase: ready ? "Running" : "Pending",
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
      containerStatuses: ready
        ? [{ name: "nats", state: { running: {} } }]
        : [{ name: "nats", state: { waiting: { reason: "ContainerCreating" } } }],
    },
  });
  const setObject = (): object => ({
    kind: "StatefulSet",
    apiVersion: "apps/v1",
    metadata: { name: STATEFUL_SET, namespace: "nats", uid: set.uid, generation: 1 },
    spec: { replicas: 3 },
    status: {
      observedGeneration: 1,
      replicas: 3,
      currentRevision: REVISION,
      updateRevision: set.updateRevision,
      readyReplicas: [...pods.values()].filter(({ ready, owned }) => ready && owned).length,
    },
  });

  const status = (code: number, reason: string, message: string): Reply => [
    code,
    { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code },
  ];
  const missing = (resource: string, name: string): Reply => status(404, "NotFound", `${resource} "${name}" not found`);

  const forbidden = (verb: string, name: string): Reply => {
    const user = 'User "system:serviceaccount:nats:reader"';
    const place = 'API group "" in the namespace "nats"';
    return status(403, "Forbidden", `pods "${name}" is forbidden: ${user} cannot ${verb} resource "pods" in ${place}`);
  };

  async function answer(request: IncomingMessage): Promise<Reply> {
    const { method = "", url = "", headers } = request;
    const who = (["relight", "reader", "admin"] as const).find(
      (user) => headers.authorization === `Bearer ${tokenOf(user)}`,
    );
    if (who === undefined) return status(401, "Unauthorized", "Unauthorized");
    const [, resource, name = ""] =
      /^\/(?:api\/v1|apis\/apps\/v1)\/namespaces\/nats\/(pods|statefulsets)\/([\w.-]+)$/.exec(url) ?? [];
    requests.push(`${method} ${resource}/${name}`);
    if (resource === "statefulsets")
      return name === STATEFUL_SET ? [200, setObject()] : missing("statefulsets.apps", name);
    if (method === "DELETE" && who === "reader") return forbidden("delete", name);
    const pod = pods.get(name);
    if (resource !== "pods" || pod === undefined) return missing("pods", name);
    if (method === "GET") return [200, podObject(name, pod)];
    const { preconditions, gracePeriodSeconds } = (await json(request)) as DeleteOptions;
    if (gracePeriodSeconds !== undefined) return status(400, "BadRequest", "the test wants the pod's own");
    if (preconditions?.uid !== undefined && preconditions.uid !== pod.uid) {
      const why = `the UID in the precondition (${preconditions.uid}) does not match the UID in record (${pod.uid})`;
      return status(409, "Conflict", `Operation cannot be fulfilled on Pod "${name}": Precondition failed: ${why}`);
    }
    if (!pod.ending) end(name, pod);
    return [200, podObject(name, pod)];
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method === "DELETE" ? "DELETE" : "GET";
    hooks[method]?.shift()?.();
    const trouble = troubles[method].shift();
    if (trouble === "hang") return;
    if (trouble === "drop") return void request.socket.destroy();
    const [code, body] =
      trouble === undefined ? await answer(request) : status(trouble, "InternalError", "trouble with whsec_c2VjcmV0");
    response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(body));
  }

  const http = createServer((request, response) => void handle(request, response));
  await once(http.listen(0, "127.0.0.1"), "listening");
  const { port } = http.address() as AddressInfo;
  return {
    requests,
    trouble: (method, ...more) => void troubles[method].push(...more),
    before: (method, happens) => void hooks[method]?.push(happens),
    kubeconfig: (who) => kubeconfigFor(`http://127.0.0.1:${port}`, tokenOf(who)),
    uids: async () => Object.fromEntries([...pods].map(([name, { uid }]) => [name, uid])),
    isReady: async (name) => pods.get(name)?.ready ?? false,
    holdBack: () => {
      heldBack = true;
    },
    spoil: async (name) => {
      const pod = pods.get(name);
      if (pod !== undefined) pod.ready = false;
    },
    replace: (name) => void pods.set(name, newPod()),
    addPod: async (name) => void pods.set(name, { ...newPod(), owned: false }),
    changeTemplate: async () => {
      set.updateRevision = "nats-77c9b4";
    },
    [Symbol.asyncDispose]: async () => {
      for (const timer of timers) clearTimeout(timer);
      http.closeAllConnections();
      await new Promise((closed) => http.close(closed));
    },
  };
}

type Reply = readonly [code: number, body: object];

interface DeleteOptions {
  readonly preconditions?: { readonly uid?: string };
  readonly gracePeriodSeconds?: number;
}
