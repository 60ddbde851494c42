import type { Server } from "../../lib/adapters/restart/server.ts";

/** Who asks: with the rights of docs/restarts.md, those without deletion, all, or a token that nobody knows. */
export type Who = "relight" | "reader" | "admin" | "stranger";

/** The token of a user, long enough to be found in a text where it must not be. */
export const tokenOf = (who: Who): string => `token-of-${who}-that-must-stay-secret`;

/** A StatefulSet `nats` of three pods in the namespace `nats`, and what befalls them. */
export interface TestKubernetes extends AsyncDisposable {
  kubeconfig(who: Who): string;
  /** The uids of the pods that are there, by name. */
  uids(): Promise<Readonly<Record<string, string>>>;
  /** Whether the pod that now has this name is Ready. */
  isReady(name: string): Promise<boolean>;
  /** New pods don't become Ready any more. */
  holdBack(): void;
  /** The pod is no longer Ready, and the StatefulSet knows it. */
  spoil(name: string): Promise<void>;
  /** Adds a pod that belongs to nothing. */
  addPod(name: string): Promise<void>;
  /** Changes the StatefulSet's template; its pods stay as they are. */
  changeTemplate(): Promise<void>;
}

export const NAMESPACE = "nats";
export const STATEFUL_SET = "nats";

export const server = (name: string): Server => ({ id: `N${"A".repeat(55)}`, name });

/** A kubeconfig with a second context that leads nowhere. */
export function kubeconfigFor(address: string, token: string, authority?: string): string {
  // The library sends no token over plain HTTP unless it is told that it may.
  const plain = { "insecure-skip-tls-verify": true };
  const ca = authority === undefined ? plain : { "certificate-authority-data": authority };
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "test",
    clusters: [
      { name: "test", cluster: { server: address, ...ca } },
      { name: "nowhere", cluster: { server: "http://127.0.0.1:65530", ...plain } },
    ],
    users: [{ name: "user", user: { token } }],
    contexts: [
      { name: "test", context: { cluster: "test", user: "user" } },
      { name: "nowhere", context: { cluster: "nowhere", user: "user" } },
      { name: "broken", context: { cluster: "gone", user: "user" } },
    ],
  });
}
