import pMap from "p-map";
import type { AccountId } from "../../domain/claims/account.ts";
import { isTrusted } from "../../domain/claims/claims-source.ts";
import type { RestartEvidence } from "../../domain/ladder/restart-guard.ts";
import { enablesJetStream } from "../../domain/limits/jetstream-limits.ts";
import type { Probe } from "../../domain/observation/observation.ts";
import { toMillis } from "../../domain/time/time.ts";
import { asRelightError, RelightError } from "../../errors.ts";
import type { Context } from "../context/context.ts";

/** Concurrent requests. */
const AT_ONCE = 16;

/** Accounts that a restart of a server would harm. */
export interface AccountsAtRisk {
  /** A server reports them as expired, or their claims in the resolver have expired and give them JetStream. */
  readonly expired: readonly AccountId[];
  /** Servers run them, but the resolver holds no JWT that a server could start with. */
  readonly notStored: readonly AccountId[];
}

/** Everything that cannot be determined makes the probe fail. */
export async function accountsAtRisk(
  { resolver, probes, clock, operator }: Context,
  hosted: RestartEvidence["hosted"],
): Promise<Probe<AccountsAtRisk>> {
  if (!hosted.ok) return hosted;
  const loaded = await probes.accounts();
  if (!loaded.ok) return loaded;
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
    const stored = new Set<string>();
    for await (const entry of resolver.list()) {
      if (!entry.ok) {
        if (entry.of === "server") throw new RelightError("nats.timeout", `${entry.account}: ${entry.problem}`);
        // Servers may read what Relight can't.
        if (entry.of !== "fragment") stored.add(entry.account);
        continue;
      }
      const { claims } = entry.jwt.document;
      if (isTrusted(entry.jwt, operator)) stored.add(claims.sub);
      if (claims.exp === undefined || toMillis(claims.exp) > clock.now()) continue;
      if (enablesJetStream(claims)) expired.add(claims.sub);
    }
    const missing = loaded.value.filter((account) => !stored.has(account));
    const running = await pMap(missing, (account) => isInForceSomewhere(resolver, account), { concurrency: AT_ONCE });
    return { ok: true, value: { expired: [...expired], notStored: missing.filter((_, index) => running[index]) } };
  } catch (thrown) {
    const { code, message } = asRelightError(thrown);
    // A memory or URL resolver has no list; the servers were already asked.
    if (code === "nats.no_resolver") return { ok: true, value: { expired: [...expired], notStored: [] } };
    return { ok: false, code, message };
  }
}

/** Not so for a deleted account: a restart cannot harm it. */
async function isInForceSomewhere(resolver: Context["resolver"], account: AccountId): Promise<boolean> {
  return (await resolver.running(account)).some((entry) => entry.loaded && !entry.expired);
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
