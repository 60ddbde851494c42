import type { World } from "../../lab/world.ts";
import { spawnNotes, type Watch } from "./watch.ts";

export interface Answer {
  readonly status: number;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into any answer
  readonly json: any;
}

export interface Serve extends Watch {
  readonly url: string;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  post(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>;
}

/** Starts the built `relight serve` on a free port, and waits until it takes requests. */
export async function startServe(world: Pick<World, "home">, ...args: string[]): Promise<Serve> {
  const watch = spawnNotes(world, "serve", "--listen", "127.0.0.1:0", ...args);
  const { url } = await watch
    .until("the address", ({ what }) => what === "serving")
    .catch(async (error: unknown) => {
      await watch[Symbol.asyncDispose]();
      throw error;
    });
  const ask = async (path: string, init: RequestInit): Promise<Answer> => {
    const response = await fetch(`${url}${path}`, init);
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.startsWith("application/json") ?? false;
    return { status: response.status, text, json: isJson ? JSON.parse(text) : undefined };
  };
  return {
    ...watch,
    url,
    get: (path, headers = {}) => ask(path, { headers }),
    post: (path, body, headers = {}) => {
      const text = typeof body === "string" ? body : JSON.stringify(body);
      return ask(path, { method: "POST", body: text, headers: { "content-type": "application/json", ...headers } });
    },
  };
}
