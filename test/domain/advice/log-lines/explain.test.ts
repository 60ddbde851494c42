import { describe, expect, test } from "@jest/globals";
import { explain, kindOf, LOG_KINDS } from "../../../../lib/domain/advice/log-lines/explain.ts";

const APP = `A${"B".repeat(55)}`;

/** Lines that servers of the lab wrote, with ids and addresses replaced. */
const CAPTURED: readonly (readonly [id: string | undefined, line: string])[] = [
  [
    "leaf.clamped",
    '[1] 2026/11/21 12:11:52.656547 [DBG] 127.0.0.1:1 - lid:5 - Not permitted to subscribe to "$JS.API.>" on behalf of $G',
  ],
  [
    "leaf.clamped",
    '[1] 2026/11/21 12:11:52.656547 [DBG] 127.0.0.1:1 - lid:5 - Not permitted to import service "$JS.API.>" on behalf of $G',
  ],
  ["leaf.clamped", 'Not permitted to import mapping "$JS.hub.API.$KV.>" on behalf of APP'],
  ["leaf.clamped", 'Not permitted to subscribe to "$KV.>" on behalf of APP/tag'],
  ["leaf.not_permitted", '[DBG] 127.0.0.1:1 - lid:5 - Not permitted to subscribe to "orders.*" on behalf of APP'],
  ["leaf.domains", '[INF] 127.0.0.1:1 - lid:5 - JetStream using domains: local "hub", remote "leaf"'],
  [
    "leaf.domains",
    '[DBG] 127.0.0.1:1 - lid:5 - Adding JetStream Domain Mapping "$JS.hub.API.$OBJ.>" -> $OBJ.> to account "$G"',
  ],
  ["leaf.domains", '[DBG] 127.0.0.1:1 - lid:5 - Adding deny "$JS.hub.API.>" for outgoing messages to account "$G"'],
  [
    "leaf.seed_or_file_missing",
    '[ERR] Error reading LeafNode Remote Credentials file "/none": open /none: no such file or directory',
  ],
  ["leaf.credentials_malformed", '[ERR] LeafNode Remote Credentials file "/etc/seed" malformed'],
  ["leaf.credentials_malformed", "[ERR] 127.0.0.1:1 - lid:6 - Credentials file malformed"],
  ["auth.timeout", "[ERR] 127.0.0.1:1 - lid:6 - Leafnode Error 'Authentication Timeout'"],
  ["auth.refused", "[ERR] 127.0.0.1:1 - lid:6 - Leafnode Error 'Authorization Violation'"],
  ["auth.refused", '[ERR] 127.0.0.1:1 - cid:9 - authentication error - Nkey "U…"'],
  ["auth.refused", "[DBG] 127.0.0.1:1 - cid:9 - Client connection closed: Authentication Failure"],
  [
    "account.expired_clients_closed",
    `[DBG] 127.0.0.1:1 - cid:7 - "v3.4.0:nats.js" - Account Authentication Expired - Account:${APP}/APP`,
  ],
  ["connection.expired", "[DBG] 127.0.0.1:1 - cid:7 - Client connection closed: Authentication Expired"],
  ["account.expired", `[DBG] Requested account [${APP}] has expired`],
  ["account.expired", "[DBG] 127.0.0.1:1 - cid:9 - Account JWT has expired"],
  ["account.jetstream_expired", `[WRN] Healthcheck failed: "JetStream account \\"${APP}\\" is expired"`],
  [
    "jetstream.group_missing",
    "[WRN] Healthcheck failed: \"JetStream stream 'APP > ORDERS' is not current: group node missing\"",
  ],
  ["health.failed", '[WRN] Healthcheck failed: "JetStream is not current with the meta leader"'],
  ["jetstream.no_quorum", "[WRN] JetStream cluster stream 'APP > ORDERS' has NO quorum, stalled"],
  ["server.slow_read", "[WRN] 127.0.0.1:1 - cid:5 - Readloop processing time: 2.1s"],
  ["connections.account_limit", "[ERR] 127.0.0.1:1 - cid:5 - maximum account active connections exceeded"],
  ["connections.server_limit", "[ERR] 127.0.0.1:1 - cid:5 - maximum connections exceeded"],
  ["account.update_skipped", `[DBG] jwt update cache skipped - ${APP}`],
  ["account.update_refused", `[ERR] jwt update resulted in error - ${APP} - not trusted`],
  ["server.started", "[INF] Server is ready"],
  ["connection.normal", "[DBG] 127.0.0.1:1 - cid:7 - Client connection created"],
  [undefined, "[DBG] 127.0.0.1:1 - cid:7 - Client connection closed: Wrong Gateway"],
];

describe("a line", () => {
  test.each(CAPTURED)("is %s: %s", (id, line) => {
    expect(kindOf(line)?.id).toBe(id);
  });

  test("finds the kind for every text of the table", () => {
    for (const kind of LOG_KINDS)
      for (const text of kind.texts) {
        const word = kind.only === undefined ? "x" : "$JS.API.>";
        const filled = text.replaceAll("%q", `"${word}"`).replaceAll(/%\+?[a-z]/g, "1");
        // Only some of the reasons are normal.
        const line = kind.id === "connection.normal" ? filled.replace(/: 1$/, ": Client Closed") : filled;
        const level = kind.id === "server.crashed" ? "" : "[WRN] ";
        expect({ line, id: kindOf(`${level}${line}`)?.id }).toEqual({ line, id: kind.id });
      }
  });

  test("finds an expired JetStream account, also with escaped quotes", () => {
    expect(kindOf(`"JetStream account \\"${APP}\\" is expired"`)?.id).toBe("account.jetstream_expired");
  });
});

test("each kind has a meaning, advice and a source", () => {
  expect(new Set(LOG_KINDS.map(({ id }) => id)).size).toBe(LOG_KINDS.length);
  for (const { worry, advice, meaning, title, versions } of LOG_KINDS) {
    expect([title.length > 10, meaning.length > 20, versions.length > 0]).toEqual([true, true, true]);
    expect(advice === "Nothing to do.").toBe(worry === "none");
  }
});

describe("a log", () => {
  test("has the urgency of its most urgent line, which comes first", () => {
    const clamped = CAPTURED[0]?.[1] ?? "";
    const quorum = "[WRN] JetStream cluster stream 'A > B' has NO quorum, stalled";
    const slow = "[WRN] cid:5 - Readloop processing time: 3s";
    expect(explain([clamped]).worry).toBe("none");
    expect(explain([clamped, slow]).worry).toBe("look");
    const { worry, explained } = explain([clamped, clamped, slow, quorum]);
    expect({ worry, kinds: explained.map(({ kind, count }) => [kind.id, count]) }).toEqual({
      worry: "act",
      kinds: [
        ["jetstream.no_quorum", 1],
        ["server.slow_read", 1],
        ["leaf.clamped", 2],
      ],
    });
  });

  test("is worth a look if an error is not explained, and calls for an act if a server ended", () => {
    expect(explain(["[1] 2026/11/21 12:00:00.000001 [ERR] never seen"]).worry).toBe("look");
    expect(explain(["[1] 2026/11/21 12:00:00.000001 [WRN] never seen"]).worry).toBe("none");
    for (const line of ["[1] [FTL] never seen", "panic: never seen", "nats-1  | fatal error: never seen"])
      expect({ line, worry: explain([line]).worry }).toEqual({ line, worry: "act" });
    expect(explain(["[1] [INF] a panic: is a word"]).worry).toBe("none");
  });

  test("is read as servers color it for a terminal", () => {
    const { explained, unexplained } = explain([
      "[1] [\x1b[31mFTL\x1b[0m] never seen",
      "[\x1b[31mERR\x1b[0m] nor this",
    ]);
    expect(explained.map(({ kind }) => kind.id)).toEqual(["server.fatal"]);
    expect(unexplained.groups).toEqual([{ count: 1, example: "[ERR] nor this", level: "ERR" }]);
  });

  test("counts unexplained lines, ignoring numbers, errors first", () => {
    const { lines, unexplained } = explain([
      "[1] 2026/11/21 12:00:00.000001 [INF] 127.0.0.1:1000 - cid:1 - something new took 1.5ms",
      "[1] 2026/11/21 12:00:00.000002 [INF] 127.0.0.1:2000 - cid:2 - something new took 20µs",
      "",
      "[1] 2026/11/21 12:00:00.000003 [ERR] something worse",
    ]);
    expect(lines).toBe(3);
    expect(unexplained).toMatchObject({
      lines: 3,
      groups: [
        { count: 1, level: "ERR" },
        { count: 2, level: "other" },
      ],
    });
  });

  test("names the accounts in its lines", () => {
    const { explained } = explain([`Requested account [${APP}] has expired`, "Account JWT has expired"]);
    expect(explained.map(({ count, accounts }) => ({ count, accounts: [...accounts] }))).toEqual([
      { count: 2, accounts: [[APP, 1]] },
    ]);
  });

  test("of many thousand lines takes almost no time", () => {
    const lines = Array.from({ length: 50_000 }, (_, index) => CAPTURED[index % CAPTURED.length]?.[1] ?? "");
    const begin = performance.now();
    expect(explain(lines).lines).toBe(50_000);
    expect(performance.now() - begin).toBeLessThan(10_000);
  });
});
