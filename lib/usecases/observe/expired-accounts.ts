import pMap from "p-map";
import type { AccountId } from "../../domain/claims/account.ts";
import type { RestartEvidence } from "../../domain/ladder/restart-guard.ts";
import { enablesJetStream } from "../../domain/limits/jetstream-limits.ts";
import type { Probe } from "../../domain/observation/observation.ts";
import { toMillis } from "../../domain/time/time.ts";
import { asRelightError } from "../../errors.ts";
import type { Context } from "../context/context.ts";

/** Concurrent requests. */
const AT_ONCE = 16;

/** Accounts that a server reports as expired, or whose claims in the resolver have expired and give them JetStream. */
export async function expiredAccounts(
  { resolver, clock }: Context,
  hosted: RestartEvidence["hosted"],
): Promise<Probe<readonly AccountId[]>> {
  if (!hosted.ok) return hosted;
  const expired = new Set<AccountId>();
  const accounts = new Set(hosted.value.map(({ account }) => account));
  try {
    await pMap(
      accounts,
      async (account) => {
        if (await isReportedExpired(resolver, account)) expired.add(account);
      },
      { concurrency: AT_ONCE },
    );
    for await (const entry of resolver.list()) {
      const claims = entry.ok ? entry.jwt.document.claims : undefined;
      if (claims?.exp === undefined || toMillis(claims.exp) > clock.now()) continue;
      if (enablesJetStream(claims)) expired.add(claims.sub);
    }
    return { ok: true, value: [...expired] };
  } catch (thrown) {
    const { code, message } = asRelightError(thrown);
    // A memory or URL resolver has no list; the servers were already asked.
    if (code === "nats.no_resolver") return { ok: true, value: [...expired] };
    return { ok: false, code, message };
  }
}

/** Servers report this themselves, even for claims that Relight can't read. */
async function isReportedExpired(resolver: Context["resolver"], account: AccountId): Promise<boolean> {
  try {
    const running = await resolver.running(account);
    return running.some((entry) => entry.loaded && entry.expired);
  } catch (thrown) {
    const { code, details } = asRelightError(thrown);
    if (code !== "claims.unreadable") throw thrown;
    return !Array.isArray(details["expiredOn"]) || details["expiredOn"].length > 0;
  }
}
