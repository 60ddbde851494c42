import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "@jest/globals";
import { httpMonitoring } from "../lib/adapters/local/monitoring.ts";
import { millis } from "../lib/domain/time/time.ts";

async function check(answer: RequestListener, path = "", login = "", timeout = 5_000) {
  const server = createServer(answer);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  try {
    const url = `http://${login}127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
    const [health] = await httpMonitoring([url], millis(timeout)).check();
    return health?.checks;
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test("requests what Kubernetes requests; the full check may fail alone", async () => {
  const asked: (string | undefined)[] = [];
  const checks = await check((request, response) => {
    asked.push(request.url);
    if (request.url === "/healthz") response.writeHead(503).end('{"status":"unavailable","error":"account expired"}');
    else response.end('{"status":"ok"}');
  }, "/");
  expect(asked.sort()).toEqual(["/healthz", "/healthz?js-enabled-only=true", "/healthz?js-server-only=true"]);
  expect(checks).toEqual({
    enabledOnly: { ok: true, value: { ok: true, message: "ok" } },
    serverOnly: { ok: true, value: { ok: true, message: "ok" } },
    full: { ok: true, value: { ok: false, message: "account expired" } },
  });
});

test.each<[string, RequestListener, RegExp]>([
  ["silent", () => undefined, /no answer within 200 ms/],
  ["a page", (_request, response) => response.end("<html>"), /HTTP 200, but not as nats-server does/],
  ["JSON of another kind", (_request, response) => response.end("[1]"), /not as nats-server does/],
  ["elsewhere", (_request, response) => response.writeHead(302, { location: "/x" }).end(), /redirect/],
  ["gone in the middle", (request) => request.socket.destroy(), /127\.0\.0\.1/],
])("an address that is %s is unknown, not unhealthy", async (_what, answer, message) => {
  const checks = await check(answer, "", "", 200);
  for (const probe of Object.values(checks ?? {}))
    expect(probe).toMatchObject({ ok: false, message: expect.stringMatching(message) });
});

test("an ok status with a failing HTTP status: not ok", async () => {
  const checks = await check((_request, response) => response.writeHead(500).end('{"status":"ok"}'));
  expect(checks?.full).toMatchObject({ ok: true, value: { ok: false } });
});

test("a password goes into a header, and into no message", async () => {
  const seen: (string | undefined)[] = [];
  const checks = await check(
    (request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(401).end("no");
    },
    "",
    "ops:hunter2@",
  );
  expect(seen[0]).toBe(`Basic ${Buffer.from("ops:hunter2").toString("base64")}`);
  expect(JSON.stringify(checks)).not.toContain("hunter2");
});
