import type { Server } from "../../lib/adapters/restart/server.ts";

/** Who requests: with the permissions of docs/restarts.md, without deletion, with all, or with an unknown token. */
export type Who = "relight" | "reader" | "admin" | "stranger";

/** The token of a user, long enough to be found in a text where it must not be. */
export const tokenOf = (who: Who): string => `token-of-${who}-that-must-stay-secret`;

/** A StatefulSet `nats` of three pods in the namespace `nats`, and what may happen to them. */
export interface TestKubernetes extends AsyncDisposable {
  kubeconfig(who: Who): string;
  /** The uids of the existing pods, by name. */
  uids(): Promise<Readonly<Record<string, string>>>;
  /** Whether the current pod with this name is Ready. */
  isReady(name: string): Promise<boolean>;
  /** New pods no longer become Ready. */
  holdBack(): void;
  /** The pod is no longer Ready, and the StatefulSet knows it. */
  spoil(name: string): Promise<void>;
  /** Adds a pod without an owner. */
  addPod(name: string): Promise<void>;
  /** Changes the StatefulSet's template; its pods stay unchanged. */
  changeTemplate(): Promise<void>;
}

export const NAMESPACE = "nats";
export const STATEFUL_SET = "nats";

export const server = (name: string): Server => ({ id: `N${"A".repeat(55)}`, name });

/** A kubeconfig with a second context that leads nowhere. */
export function kubeconfigFor(address: string, token: string, authority?: string): string {
  // By default the library sends no token over plain HTTP.
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
