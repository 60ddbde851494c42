import { expect, jest, test } from "@jest/globals";
import { fill, forgetJwt } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createWorld } from "../../lab/world.ts";
import { relight } from "../support/relight.ts";

jest.setTimeout(200_000);

/** Found by `npm run worlds`. */
test("a server that restarted and can't fetch the account's claims does not make the account unknown: it is healed", async () => {
  await using world = await createWorld({ binary: (await serverBinary("2.15.2")).path, size: 3 });
  await fill(world, { replicas: 3 });
  await forgetJwt(world);
  // It then has the account only for the subscriptions that the others announce: expired, and without a JWT.
  await world.servers[1]?.stop();
  await world.servers[1]?.start();

  const { json: verdict } = await relight(world, "verify", "APP", "--json");
  const codes = verdict.findings.map(({ code }: { code: string }) => code);
  expect(codes).toContain("account.not_in_resolver");
  expect(codes).not.toContain("probe.failed");
  expect(codes).not.toContain("account.expired");

  const { json: healed } = await relight(world, "heal", "APP", "--json");
  expect(healed).toMatchObject({ outcome: "healed", verdict: "healthy", findings: [] });
});
