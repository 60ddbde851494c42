import { setTimeout as pause } from "node:timers/promises";
import type { V1Pod, V1StatefulSet } from "@kubernetes/client-node";
import { defined } from "../../domain/time/defined.ts";
import { formatDuration, type Millis, millis } from "../../domain/time/time.ts";
import type { RelightError } from "../../errors.ts";
import type { Restarter } from "../../ports/remedies.ts";
import { type Answer, type KubernetesAccess, type KubernetesApi, kubernetesApi } from "./kubernetes-api.ts";
import { assertHarmless, restartFailed, type Server } from "./server.ts";

export interface KubernetesSettings extends KubernetesAccess {
  /** The StatefulSet whose pods are the servers. A server's name is its pod's, as in the official Helm chart. */
  readonly statefulSet: string;
  /** How long a restart may take, until the new pod is Ready. */
  readonly timeout: Millis;
  /** How often to check for the new pod. */
  readonly interval?: Millis;
}

/**
 * Restarts a server by deleting its pod, which the StatefulSet recreates, and returns once a pod with the same name and
 * another uid is Ready. Deletes only if all replicas are ready and the pod would come back unchanged (same revision), and
 * only the pod that it checked.
 * @throws RelightError `secret.malformed`, `config.invalid` at once if the kubeconfig is unusable.
 */
export function kubernetesRestarter(settings: KubernetesSettings): Restarter {
  const api = kubernetesApi(settings);
  return {
    restart: async (server) => {
      assertHarmless(server);
      const limit = AbortSignal.timeout(settings.timeout);
      const uid = await podToRestart(api, settings, server, limit);
      await deletePod(api, server, uid, limit);
      await replaced(api, settings, server, uid, limit);
    },
  };
}

/** The uid of the server's pod, if it may be deleted. */
async function podToRestart(
  api: KubernetesApi,
  { namespace, statefulSet }: KubernetesSettings,
  server: Server,
  limit: AbortSignal,
): Promise<string> {
  const refuse = (why: string): RelightError => restartFailed(server, why, { begun: false });
  const pod = found(await api.pod(server.name, limit), server, `the namespace ${namespace} has no pod ${server.name}`);
  const set = found(
    await api.statefulSet(statefulSet, limit),
    server,
    `the namespace ${namespace} has no StatefulSet ${statefulSet}`,
  );
  if (!belongs(pod, set)) throw refuse(`its pod does not belong to the StatefulSet ${statefulSet}`);
  const reason = whyNot(pod, set);
  if (reason !== undefined) throw refuse(reason);
  return pod.metadata?.uid ?? "";
}

function found<T>(answer: Answer<T>, server: Server, missing: string): T {
  if (answer.ok) return answer.value;
  const why = answer.status === 404 ? missing : `the Kubernetes API: ${answer.why}`;
  throw restartFailed(server, why, { begun: false, ...statusOf(answer) });
}

const statusOf = ({ status }: { readonly status?: number }): { readonly status?: number } => defined({ status });

function belongs({ metadata: pod }: V1Pod, { metadata: set }: V1StatefulSet): boolean {
  const owner = pod?.ownerReferences?.find(({ controller }) => controller);
  return owner?.kind === "StatefulSet" && owner.uid === set?.uid;
}

/** Why deleting the pod would do more than restart it, or leave too few replicas; undefined if it would not. */
function whyNot({ metadata: pod }: V1Pod, { metadata, spec, status }: V1StatefulSet): string | undefined {
  if (pod?.deletionTimestamp !== undefined) return "its pod is already terminating";
  const [wanted, ready] = [spec?.replicas ?? 1, status?.readyReplicas ?? 0];
  if ((status?.observedGeneration ?? 0) < (metadata?.generation ?? 0))
    return "the StatefulSet has just changed, and its state is not known yet";
  if (ready < wanted) return `only ${ready} of the StatefulSet's ${wanted} replicas are ready`;
  const revision = pod?.labels?.["controller-revision-hash"];
  if (revision !== status?.updateRevision)
    return `its pod would come back changed: it has revision ${revision}, but the StatefulSet has ${status?.updateRevision}`;
  return undefined;
}

async function deletePod(api: KubernetesApi, server: Server, uid: string, limit: AbortSignal): Promise<void> {
  const answer = await api.deletePod(server.name, uid, limit);
  if (answer.ok) return;
  // After a 5xx or no answer, the pod may have been deleted.
  const begun = answer.status === undefined || answer.status >= 500;
  const gone = answer.status === 404 || answer.status === 409;
  const why = gone ? "its pod was replaced meanwhile" : `the Kubernetes API: ${answer.why}`;
  throw restartFailed(server, why, { begun, ...statusOf(answer) });
}

async function replaced(
  api: KubernetesApi,
  { timeout, interval = millis(1_000) }: KubernetesSettings,
  server: Server,
  old: string,
  limit: AbortSignal,
): Promise<void> {
  let state = "it was not checked";
  while (!limit.aborted) {
    const answer = await api.pod(server.name, limit);
    if (answer.ok && isReplaced(answer.value, old)) return;
    // A request that the time limit cut off says nothing about the pod.
    if (!limit.aborted) state = stateOf(answer, old);
    await pause(interval, undefined, { signal: limit }).catch(() => undefined);
  }
  throw restartFailed(server, `no new pod was Ready within ${formatDuration(timeout)}: ${state}`, {
    begun: true,
    timeout,
  });
}

function isReplaced({ metadata, status }: V1Pod, old: string): boolean {
  if (metadata?.uid === old || metadata?.deletionTimestamp !== undefined) return false;
  return status?.conditions?.some((condition) => isTrue(condition, "Ready")) ?? false;
}

const isTrue = ({ type, status }: { type: string; status: string }, wanted: string): boolean =>
  type === wanted && status === "True";

/** Why a pod is not ready, for people: `Pending (Unschedulable)`, `Running (nats: CrashLoopBackOff)`. */
function stateOf(answer: Answer<V1Pod>, old: string): string {
  if (!answer.ok) return answer.status === 404 ? "it does not exist" : `the Kubernetes API: ${answer.why}`;
  const { metadata, status } = answer.value;
  if (metadata?.uid === old) return "the old pod has not terminated yet";
  const containers = (status?.containerStatuses ?? [])
    .filter(({ state }) => state?.waiting?.reason !== undefined)
    .map(({ name, state }) => `${name}: ${state?.waiting?.reason}`);
  const conditions = (status?.conditions ?? [])
    .filter(({ status: met, reason }) => met !== "True" && reason !== undefined)
    .map(({ reason }) => String(reason));
  const reasons = [...containers, ...(containers.length > 0 ? [] : conditions)];
  return `it is ${status?.phase}${reasons.length === 0 ? "" : ` (${[...new Set(reasons)].join(", ")})`}`;
}
