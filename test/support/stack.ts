import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Context as LambdaContext } from "aws-lambda";

/** The account of the events in events/. */
export const PLACEHOLDER = "A".repeat(56);

// biome-ignore lint/suspicious/noExplicitAny: an event is whatever AWS sends
export type Event = any;

const context = {
  awsRequestId: "test-request",
  functionName: "test",
  getRemainingTimeInMillis: () => 180_000,
} as LambdaContext;

export async function eventOf(name: string, change: (text: string) => string = (text) => text): Promise<Event> {
  return JSON.parse(change(await readFile(new URL(`../../events/${name}.json`, import.meta.url), "utf8")));
}

export async function run(name: string, event: Event): Promise<Event> {
  const { handler } = await import(`../../functions/${name}.ts`);
  return handler(event, { ...context });
}

/**
 * A configuration whose cluster, credentials and operator are unreachable: what works with it opens no connection to
 * NATS and reads no secret but those of `yaml`. Dispose it.
 */
export async function isolatedConfig(yaml: string) {
  const folder = await mkdtemp(join(tmpdir(), "relight-isolated-"));
  const file = join(folder, "relight.yaml");
  await writeFile(
    file,
    `cluster: { servers: ["nats://127.0.0.1:1"], systemCredentials: "file:missing.creds" }
operator: { jwt: "file:missing.jwt", signingKey: "file:missing.nk" }
${yaml}`,
  );
  return { folder, file, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}
