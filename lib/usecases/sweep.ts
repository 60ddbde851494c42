import { type AccountId, isAccountId } from "../domain/account.ts";
import { asRelightError } from "../errors.ts";
import type { Jobs, ListedJwt, SourceEntry, Trigger } from "../ports.ts";
import type { Context } from "./context.ts";

export interface Sweep {
  /** The sweep's id, which its jobs carry. */
  readonly correlation: string;
  /** How many accounts were queued. */
  readonly queued: number;
  /** Entries of the resolver and of the source of truth that could not be read, with what is wrong with them. */
  readonly unreadable: readonly { readonly account: string; readonly problem: string }[];
}

/**
 * Queues one job for every account: those that the resolver lists, and those that are configured or in the
 * source of truth, since a full resolver deletes an expired account's JWT and an account missing there is the
 * very one to look at.
 */
export async function sweep(
  context: Context & { readonly jobs: Jobs; readonly configured: readonly AccountId[] },
  trigger: Trigger,
  reason: string,
): Promise<Sweep> {
  const id = context.newId();
  const seen = new Set<AccountId>();
  const unreadable: { account: string; problem: string }[] = [];
  const enqueue = async (account: AccountId): Promise<void> => {
    if (seen.has(account)) return;
    seen.add(account);
    const job = { account, trigger, reason, action: "remediate", correlation: id } as const;
    await context.jobs.enqueue({ ...job, id: `${id}/${account}` });
  };

  for (const account of context.configured) await enqueue(account);
  for await (const entry of listed(context)) {
    if (entry.ok) await enqueue(entry.jwt.document.claims.sub);
    else {
      unreadable.push({ account: entry.account, problem: entry.problem });
      context.log.warn("the resolver holds what is not an account JWT", entry);
      if (isAccountId(entry.account)) await enqueue(entry.account);
    }
  }
  for await (const entry of sourced(context)) {
    if (entry.ok) await enqueue(entry.jwt.document.claims.sub);
    else unreadable.push({ account: entry.place, problem: entry.problem });
  }
  context.log.info("a sweep ended", { correlation: id, trigger, queued: seen.size });
  return { correlation: id, queued: seen.size, unreadable };
}

/**
 * What the source of truth has and the cluster may lack; nothing where there is none. One that can't be read
 * stops no sweep: each account's verdict says so.
 */
export async function* sourced({ source, log }: Pick<Context, "source" | "log">): AsyncIterable<SourceEntry> {
  if (source === undefined) return;
  try {
    yield* source.claims.accounts();
  } catch (thrown) {
    const error = asRelightError(thrown);
    if (error.code !== "source.unavailable") throw thrown;
    log.warn("the source of truth can't be read", { error: error.toJSON() });
  }
}

/** Without a NATS-based resolver there is nothing to list, and the configured accounts are all there is. */
async function* listed({ resolver, log }: Context): AsyncIterable<ListedJwt> {
  try {
    yield* resolver.list();
  } catch (thrown) {
    const error = asRelightError(thrown);
    if (error.code !== "nats.no_resolver") throw thrown;
    log.warn("the resolver can't be listed; only configured accounts are swept", { error: error.toJSON() });
  }
}
