import { describe, expect, test } from "@jest/globals";
import type { ListedJwt } from "../../../lib/ports/resolver.ts";
import type { Context } from "../../../lib/usecases/context/context.ts";
import { accountsAtRisk } from "../../../lib/usecases/observe/accounts-at-risk.ts";
import { fill } from "../../support/virtual/scenes.ts";
import { APP, virtualWorld } from "../../support/virtual/world.ts";

/** What the resolver's list says about a restart of a server. */

/** With this entry in the resolver's list, in place of the account's JWT. */
async function withListed(entry: ListedJwt) {
  const world = virtualWorld({ servers: 3 });
  fill(world, { replicas: 3 });
  const context: Context = world.newContext();
  const list = async function* (): AsyncIterable<ListedJwt> {
    for await (const one of context.resolver.list())
      yield one.ok && one.jwt.document.claims.sub === APP.id ? entry : one;
  };
  return accountsAtRisk({ ...context, resolver: { ...context.resolver, list } }, { ok: true, value: [] });
}

describe("a restart of a server", () => {
  test.each<[string, Partial<ListedJwt & { ok: false }>, readonly string[]]>([
    ["harms an account of which the resolver has only a part of a JWT", { of: "fragment" }, [APP.id]],
    ["may harm no account whose JWT servers may read, although Relight can't", {}, []],
  ])("%s", async (_what, changes, notStored) => {
    const found = await withListed({ ok: false, account: APP.id, problem: "is no JWT", ...changes });
    expect(found).toMatchObject({ ok: true, value: { notStored } });
  });

  test("can't be judged if a server did not list its accounts", async () => {
    const found = await withListed({ ok: false, account: "n3", of: "server", problem: "did not say" });
    expect(found).toMatchObject({ ok: false, code: "nats.timeout", message: "n3: did not say" });
  });
});
