import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { expect, test } from "@jest/globals";
import type { AccountId } from "../../lib/domain/claims/account.ts";
import type { Incident } from "../../lib/domain/incidents/incident.ts";
import type { JsonObject } from "../../lib/domain/time/json.ts";
import { redact } from "../../lib/domain/time/redact.ts";
import type { Escalation } from "../../lib/ports/escalation.ts";

export const scrub = (value: JsonObject): JsonObject => redact(value) as JsonObject;

/** A page about a dead account. */
export function incident(fields: Partial<Incident> = {}): Incident {
  return {
    key: "relight/O/A/jetstream_dead",
    status: "open",
    failureClass: "jetstream_dead",
    account: `A${"A".repeat(55)}` as AccountId,
    accountName: "ORDERS",
    severity: "critical",
    summary: "JetStream is dead: Grüße",
    advice: ["Look at it."],
    evidence: { seen: [1, null, "x"] },
    since: "2029-12-31T23:00:00.000Z",
    at: "2030-01-01T00:00:00.000Z",
    ...fields,
  };
}

export interface Received {
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** How a receiver behaves at an attempt: a status, `hang` (never answers) or `drop` (closes the connection). */
export type Behaviour = number | "hang" | "drop";

/** A receiver with scripted behavior, attempt by attempt; the last one repeats. */
export async function receiver(...behaviours: readonly Behaviour[]) {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const behaviour = behaviours[Math.min(received.length, behaviours.length - 1)] ?? 200;
    received.push({ url: request.url, headers: request.headers, body: await text(request) });
    if (behaviour === "drop") request.socket.destroy();
    else if (behaviour !== "hang") response.writeHead(behaviour, { location: "/elsewhere" }).end("thanks");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return {
    received,
    host: `127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}/hook?key=QUERY-SECRET`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

/** An escalation, what it delivered, and how to break it. */
export interface Harness extends AsyncDisposable {
  readonly escalation: Escalation;
  readonly delivered: () => readonly unknown[] | Promise<readonly unknown[]>;
  /** What is delivered of an incident, if not the incident itself. */
  readonly shows?: (page: Incident) => unknown;
}
export type Open = (broken: boolean) => Promise<Harness>;

/** The contract of every channel. */
export function escalationContract(open: Open): void {
  test.each(["open", "resolved"] as const)("delivers an incident that is %s", async (status) => {
    await using harness = await open(false);
    const { shows = (page: Incident): unknown => page } = harness;
    await harness.escalation.send(incident({ status }));
    expect(await harness.delivered()).toEqual([shows(incident({ status }))]);
  });

  test("what can't be delivered is escalation.undeliverable", async () => {
    await using harness = await open(true);
    const error = { code: "escalation.undeliverable", retryable: true };
    await expect(harness.escalation.send(incident())).rejects.toMatchObject(error);
    expect(await harness.delivered()).toEqual([]);
  });
}
