import type { NatsConnection } from "@nats-io/transport-node";
import type { AccountId } from "../../../domain/claims/account.ts";
import type { ResolverKind } from "../../../domain/claims/resolver-kind.ts";
import type { Millis } from "../../../domain/time/time.ts";
import { probe } from "../../../errors.ts";
import type { ServerInfo } from "../connection/answers.ts";
import { accountSubscriptions, askingServer } from "../probes/lists.ts";

export interface KindSettings {
  readonly connection: NatsConnection;
  readonly timeout: Millis;
  /** Undefined if the operator's JWT does not name it: then no kind is known. */
  readonly systemAccount: string | undefined;
}

/** The kind of a server's resolver; undefined if it could not be read. */
export type KindOf = (server: Pick<ServerInfo, "id">) => Promise<ResolverKind | undefined>;

/** What servers subscribe to in the system account, by the kind of their resolver (accounts.go; seen on 2.9.10 to 2.15.1). */
const LOOKUP = "$SYS.REQ.ACCOUNT.*.CLAIMS.LOOKUP";
const LIST = "$SYS.REQ.CLAIMS.LIST";
/** What every server itself subscribes to, and no client. */
const OWN = "$SYS.REQ.SERVER.PING.STATSZ";

/**
 * Tells the kinds of resolvers by the servers' own subscriptions: a full one answers lookups and lists, a cache only lists,
 * MEMORY and URL neither. Asks each server once; a restarted server has another id.
 */
export function resolverKinds(settings: KindSettings): KindOf {
  const known = new Map<string, Promise<ResolverKind | undefined>>();
  return ({ id }) => {
    const found = known.get(id);
    if (found !== undefined) return found;
    const asked = askKind(settings, id);
    known.set(id, asked);
    // A server that did not answer may answer the next time.
    const forget = (): void => void known.delete(id);
    void asked.then((kind) => kind === undefined && forget(), forget);
    return asked;
  };
}

async function askKind(settings: KindSettings, server: string): Promise<ResolverKind | undefined> {
  const { systemAccount } = settings;
  if (systemAccount === undefined) return undefined;
  const account = systemAccount as AccountId;
  const askSubsz = askingServer(settings, server, "SUBSZ");
  const holders = async (subject: string): Promise<readonly number[]> => {
    const test = subject.replace("*", systemAccount);
    const found = await accountSubscriptions(askSubsz, account, { test });
    return found.filter((held) => held.subject === subject).map(({ cid }) => cid);
  };
  const kind = await probe(async (): Promise<ResolverKind | undefined> => {
    // Clients may subscribe to the same subjects, such as an account server behind a URL resolver.
    const [itself] = await holders(OWN);
    if (itself === undefined) return undefined;
    if ((await holders(LOOKUP)).includes(itself)) return "full";
    return (await holders(LIST)).includes(itself) ? "cache" : "memory-or-url";
  });
  return kind.ok ? kind.value : undefined;
}
