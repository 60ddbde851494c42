import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import type { Claims } from "../../lab/keys.ts";
import { nowSeconds } from "../../lab/keys.ts";
import { fill } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { relight } from "../support/resident.ts";
import { startWatch } from "../support/watch.ts";

jest.setTimeout(120_000);

/**
 * nsc beside Relight, by what nsc 2.14 does on the wire (compared with it by hand): `nsc push` sends the store's JWT as it
 * is to `$SYS.REQ.CLAIMS.UPDATE`. `nsc edit account` signs the store's claims with a new `iat` and `jti`, and nothing else
 * differs. `nsc pull -A` takes what `$SYS.REQ.CLAIMS.PACK` sends into the store, unless the store's is newer.
 */

const DAY = 86_400;

describe("nsc with a store that has not what Relight pushed", () => {
  let world: World;
  let copy: Claims;
  beforeAll(async () => {
    world = await createWorld({ binary: (await serverBinary("2.10.27")).path, lives: 60 * DAY });
    await fill(world, { messages: 3 });
    copy = await pulled();
  });
  afterAll(async () => await world[Symbol.asyncDispose]());

  /** The claims in the resolver, as `nsc pull -A` brings them into the store. */
  async function pulled(): Promise<Claims> {
    const system = await world.connectAs("system");
    try {
      const reply = await system.request(`$SYS.REQ.ACCOUNT.${world.accountId}.CLAIMS.LOOKUP`, "");
      return JSON.parse(Buffer.from(reply.string().split(".")[1] ?? "", "base64url").toString());
    } finally {
      await system.close();
    }
  }

  let edits = 0;
  /** `nsc edit account APP --conns …; nsc push`. */
  const editAndPush = ({ jti: _, ...claims }: Claims): Promise<void> => {
    edits += 1;
    const limits = { ...(claims.nats["limits"] as object), conn: 1_000 + edits };
    return world.push(world.sign({ ...claims, iat: nowSeconds() + 10 * edits, nats: { ...claims.nats, limits } }));
  };

  const COPY = /a JWT made from an older copy was pushed over the renewal of .* expires .* instead of .* \(exp\)/;
  const ADVICE = /`relight renew APP`.*, then run `nsc pull -A`/;

  test("over a renewal: everybody says so at once, and what to do, in its order", async () => {
    await relight(world, "renew", "APP");
    await using watch = await startWatch(world, "--sweep-every", "1h");
    await editAndPush(copy);
    const job = await watch.until("the job", ({ what, reason }) => what === "job" && reason.includes("pushed claims"));
    await watch.stop();
    const found = { code: "claims.overwritten", message: expect.stringMatching(COPY) };
    expect(job).toMatchObject({ verdict: "degraded", findings: [found] });
    for (const command of ["verify APP", "diff APP", "status", "plan APP", "doctor", "run"]) {
      const { stdout, exit } = await relight(world, ...command.split(" "));
      const text = stdout.replaceAll(/\s+/g, " ");
      expect({ command, exit, text }).toMatchObject({ exit: 1, text: expect.stringMatching(COPY) });
      expect({ command, text }).toMatchObject({ text: expect.stringMatching(ADVICE) });
    }
    const { entries } = (await relight(world, "journal", "APP", "--json")).json;
    const pages = entries.filter(({ kind }: { kind: string }) => kind === "incident.opened");
    expect(pages.map(({ data }: { data: object }) => data)).toMatchObject([
      { failureClass: "claims_overwritten", summary: found.message },
    ]);
  });

  test("which pulls before the account is renewed brings nothing back, and afterwards everything", async () => {
    copy = await pulled();
    await editAndPush(copy);
    expect((await relight(world, "verify", "APP")).stdout).toMatch(/a JWT made from an older copy/);
    expect((await relight(world, "renew", "APP", "--json")).json).toMatchObject({ verdict: "healthy" });
    copy = await pulled();
    await editAndPush(copy);
    expect((await relight(world, "verify", "APP", "--json")).json).toMatchObject({ verdict: "healthy", findings: [] });
    expect((await relight(world, "diff", "APP")).exit).toBe(0);
  });

  test("over a change of limits: the limit that is back is named", async () => {
    copy = await pulled();
    const limits = ["jetstream", "limits", "APP", "--storage", "500MiB", "--yes", "--json"];
    expect((await relight(world, ...limits)).json).toMatchObject({ verdict: "healthy" });
    await relight(world, "renew", "APP");
    const { exp } = await pulled();
    await editAndPush({ ...copy, exp });
    const { findings } = (await relight(world, "verify", "APP", "--json")).json;
    expect(findings).toMatchObject([
      {
        code: "claims.overwritten",
        message: expect.stringMatching(
          /over Relight's push .*: nats\.limits\.disk_storage is -1 again instead of 524288000; make the change again \(`relight jetstream limits APP`\)/,
        ),
      },
    ]);
    expect((await relight(world, ...limits)).json).toMatchObject({ verdict: "healthy" });
  });
});
