import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import { serverBinary } from "../../lab/server-binaries.ts";
import { waitFor } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { ask, gather, gatherOnce, isNoResponders, order } from "../../lib/adapters/nats/connection/asking.ts";
import { AT_ONCE } from "../../lib/adapters/nats/connection/in-flight.ts";
import { millis } from "../../lib/domain/time/time.ts";

/** How requests are sent, over a real server; the test controls who answers, and when. */

const { path: binary } = await serverBinary("2.10.27");
let world: World;
let asking: NatsConnection;
let answering: NatsConnection;

beforeAll(async () => {
  world = await createWorld({ binary });
  asking = await world.connectAs("system");
  answering = await world.connectAs("system");
}, 60_000);
afterAll(async () => {
  await asking?.close();
  await answering?.close();
  await world?.[Symbol.asyncDispose]();
});

/** A responder on `subject`: what it received, and how it answers each request. */
async function listener(subject: string, hear: (message: Msg, count: number) => void = () => undefined) {
  const heard: Msg[] = [];
  answering.subscribe(subject, {
    callback: (_error, message) => {
      heard.push(message);
      hear(message, heard.length);
    },
  });
  await answering.flush();
  return heard;
}

test("an unanswered request is repeated, and then times out", async () => {
  const heard = await listener("silent");
  await expect(ask(asking, "silent", "x", millis(1_500))).rejects.toMatchObject({ code: "nats.timeout" });
  expect(heard.map((message) => message.string())).toEqual(["x", "x"]);
});

test("an answer to the second request counts, and so does a late one to the first", async () => {
  await listener("second", (message, count) => count === 2 && message.respond("second"));
  expect((await ask(asking, "second", "", millis(5_000))).string()).toBe("second");
  const heard = await listener("late", (_message, count) => count === 2 && heard[0]?.respond("first"));
  expect((await ask(asking, "late", "", millis(5_000))).string()).toBe("first");
});

test("no responders is an answer, and a request that changes something is sent once", async () => {
  const nobody = await ask(asking, "nobody", "", millis(60_000)).catch((error: unknown) => error);
  expect(isNoResponders(nobody)).toBe(true);
  const heard = await listener("order");
  await expect(order(asking, "order", "", millis(1_500))).rejects.toMatchObject({ code: "nats.timeout" });
  expect(heard).toHaveLength(1);
  const push = { timeout: millis(1_500), enough: () => false };
  expect(await gatherOnce(asking, "order", "", push)).toEqual([]);
  expect(heard).toHaveLength(2);
});

test("one answer of each server counts, however often it was asked", async () => {
  const from = (id: string): string => JSON.stringify({ server: { id } });
  // The first responders answer each time, the second only when asked again.
  await listener("everybody", (message, count) => {
    message.respond(from("A"));
    if (count === 2) message.respond(from("B"));
  });
  const enough = (answers: readonly Msg[]): boolean => answers.length >= 2;
  const answers = await gather(asking, "everybody", "", { timeout: millis(5_000), enough });
  expect(answers.map((answer) => answer.string())).toEqual([from("A"), from("B")]);
});

test(`at most ${AT_ONCE} requests are in flight; waiting does not count against the timeout of the others`, async () => {
  const open: Msg[] = [];
  await listener("busy", (message) => open.push(message));
  const questions = Array.from({ length: 3 * AT_ONCE }, (_, index) =>
    ask(asking, "busy", String(index), millis(5_000)),
  );
  const heard = new Set<string>();
  /** Requests without an answer yet; on a busy machine one may have been sent again. */
  const waiting = (): ReadonlySet<string> =>
    new Set(open.map((message) => message.string()).filter((text) => !heard.has(text)));
  for (let round = 0; round < 3; round++) {
    await waitFor("as many as may be", () => waiting().size >= AT_ONCE);
    await asking.flush();
    expect(waiting().size).toBe(AT_ONCE);
    for (const message of open.splice(0)) {
      heard.add(message.string());
      message.respond(message.data);
    }
  }
  const answers = await Promise.all(questions);
  expect(answers.map((answer) => answer.string())).toEqual(questions.map((_, index) => String(index)));
  expect(heard.size).toBe(3 * AT_ONCE);
});
