import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "@jest/globals";
import { openConsole } from "../../console/open.ts";
import { openApp } from "../../lib/compose/compose.ts";
import type { Journal } from "../../lib/ports/journal.ts";
import { fakeLog } from "../support/fakes/log.ts";

/** A fleet of 100,000 accounts. */

const MANY = 100_000;
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** Ids as long as real ones; the console does not look at their checksums before somebody opens one. */
function idOf(index: number): string {
  let [text, rest] = ["", index];
  for (let place = 0; place < 5; place++) {
    text = (LETTERS[rest % 32] ?? "") + text;
    rest = Math.floor(rest / 32);
  }
  return `A${text}${"A".repeat(50)}`;
}

/** Writes what the jobs of a large fleet leave, in one transaction. */
function seed(path: string, now: number): void {
  const database = new DatabaseSync(path);
  const insert = database.prepare("INSERT INTO journal (at, job, account, kind, data) VALUES (?, ?, ?, ?, ?)");
  database.exec("BEGIN");
  for (let index = 0; index < MANY; index++) {
    const [account, job] = [idOf(index), `job-${index}`];
    const verdict = index === 77_777 ? "dead" : "healthy";
    const expiresAt = now + (30 + (index % 60)) * 86_400_000;
    insert.run(
      now - 90_000,
      job,
      account,
      "claims.seen",
      JSON.stringify({ jti: "j", name: `team-${index}`, claims: "{}" }),
    );
    const end = {
      outcome: verdict,
      verdict,
      jti: "j",
      verifiedAt: now - 60_000,
      expiresAt,
      renewAt: expiresAt - 20 * 86_400_000,
    };
    insert.run(now - 60_000, job, account, "job.finished", JSON.stringify(end));
  }
  database.exec("COMMIT");
  database.close();
}

test("100,000 accounts are listed, found and counted; a page reads only its own accounts", async () => {
  const folder = await mkdtemp(join(tmpdir(), "relight-many-"));
  try {
    const configFile = join(folder, "relight.yaml");
    await writeFile(configFile, CONFIG);
    const log = fakeLog();
    await using app = await openApp({ configFile, log });
    seed(join(folder, "relight.sqlite"), app.clock.now());
    const read: unknown[] = [];
    const journal: Journal = {
      append: (entry) => app.journal.append(entry),
      accounts: () => app.journal.accounts(),
      read: (query) => {
        read.push(query);
        return app.journal.read(query);
      },
      latest: (accounts) => {
        read.push(...accounts);
        return app.journal.latest(accounts);
      },
    };
    const withApp = () => Promise.reject(new Error("there is no cluster"));
    const settings = { app: { ...app, journal }, withApp, log, person: "ada", signsInOnLoopback: false };
    const { pages } = await openConsole(settings);
    const get = async (path: string): Promise<string> => {
      const answer = await pages.request(`http://localhost${path}`, { headers: { host: "localhost" } });
      expect(answer.status).toBe(200);
      return answer.text();
    };
    // Other requests are answered while the fleet is read.
    let others = 0;
    const first = get("/");
    const isRead = { yet: false };
    void first.then(() => Object.assign(isRead, { yet: true }));
    while (!isRead.yet) {
      await (await pages.request("http://localhost/console.css", { headers: { host: "localhost" } })).text();
      await new Promise((done) => setImmediate(done));
      others += 1;
    }
    expect(others).toBeGreaterThan(100);
    const page = await first;
    expect(page.length).toBeLessThan(300_000);
    expect(page).toContain("Page 1 of 2000");
    expect(page.indexOf("team-77777")).toBeGreaterThan(0);
    expect(page).toContain("Renewal storm");
    expect(page.match(/class="row dead"/g)).toHaveLength(1);
    read.length = 0;
    expect(await get("/?q=team-99999")).toContain("team-99999");
    expect(read.length).toBeLessThan(10);
    expect(await get("/?page=2000")).toContain("Page 2000 of 2000");
    // The list is read again only after a while.
    expect(read.length).toBeLessThan(400);
  } finally {
    await rm(folder, { recursive: true });
  }
});

const CONFIG = `cluster: { servers: ["nats://127.0.0.1:1"], systemCredentials: "file:missing.creds" }
operator: { jwt: "file:missing.jwt" }
`;
