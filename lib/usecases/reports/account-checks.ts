import pMap from "p-map";
import { type AccountId, isAccountId } from "../../domain/claims/account.ts";
import type { AccountClaims } from "../../domain/claims/claims.ts";
import { importsOf } from "../../domain/claims/shares.ts";
import { accountChecks } from "../../domain/doctor/all-checks.ts";
import type { Check } from "../../domain/doctor/checks.ts";
import type { Probe } from "../../domain/observation/observation.ts";
import { defined } from "../../domain/time/defined.ts";
import { probe } from "../../errors.ts";
import type { Context } from "../context/context.ts";
import { lookOnce } from "../observe/look.ts";
import { claimsOf } from "./schedule.ts";

const AT_ONCE = 8;

/** What a check of an account saw. */
export type Seen = Parameters<NonNullable<Context["onLook"]>>[0];

/** The checks of `doctor` that are about this account, from what was just seen of it, without side effects. */
export async function checkAccount(
  context: Context,
  { account, name }: { readonly account: AccountId; readonly name: string },
  seen: Seen | undefined,
): Promise<readonly Check[]> {
  const { observation, verdict, claims } = seen ?? (await lookOnce(context, account));
  const names = [...new Set(claims === undefined ? [] : importsOf(claims.claims).map(({ exporter }) => exporter))];
  const exporters = new Map(
    await pMap(names, async (exporter) => [exporter, await askExporter(context, exporter)] as const, {
      concurrency: AT_ONCE,
    }),
  );
  const nobody = { ok: true, value: undefined } as const;
  const health = { account, name, observation, verdict, ...defined({ claims }) };
  return accountChecks(health, (exporter) => exporters.get(exporter) ?? nobody);
}

async function askExporter(context: Context, exporter: string): Promise<Probe<AccountClaims | undefined>> {
  return probe(async () => {
    if (!isAccountId(exporter)) return undefined;
    const found = await claimsOf(context, exporter);
    return "document" in found ? found.document?.claims : undefined;
  });
}
