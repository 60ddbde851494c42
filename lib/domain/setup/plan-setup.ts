import { readServerAddress } from "../observation/server-address.ts";
import { defined } from "../time/defined.ts";
import type { Found, FoundContext, FoundKey, FoundOperator } from "./found.ts";

/** What a person said on the command line or in answers. References are secret references. */
export interface SetupWishes {
  /** The operator's name, or the beginning of its public key. */
  readonly operator?: string;
  readonly servers?: readonly string[];
  readonly systemCredentials?: string;
  readonly signingKey?: string;
  /** A context of the `nats` command. */
  readonly context?: string;
  readonly readOnly: boolean;
}

/** What the configuration will say. */
export interface Setup {
  readonly operator: FoundOperator;
  /** Stands for the servers, the credentials and TLS, as far as these are absent. */
  readonly context?: string;
  readonly servers?: readonly string[];
  readonly serversFrom: string;
  readonly systemCredentials?: string;
  /** Absent if no key was found. */
  readonly signingKey?: { readonly reference: string; readonly about: string };
  readonly readOnly: boolean;
}

/** What a person must say before there can be a configuration. */
export type Missing =
  | { readonly what: "operator"; readonly among: readonly FoundOperator[]; readonly wanted?: string }
  | { readonly what: "operator JWT"; readonly stores: readonly string[] }
  | { readonly what: "system credentials"; readonly operator: FoundOperator }
  | { readonly what: "servers"; readonly operator: FoundOperator };

export type SetupPlan = { readonly setup: Setup } | { readonly missing: Missing };

/** The configuration that follows from what was found and said, or the first thing that is missing. */
export function planSetup(found: Found, wishes: SetupWishes): SetupPlan {
  const operator = operatorOf(found, wishes);
  if ("what" in operator) return { missing: operator };
  const matching = wishes.context === undefined ? onlyContext(found.contexts, operator) : undefined;
  const [own] = operator.systemCredentials;
  const systemCredentials =
    wishes.systemCredentials ?? (wishes.context === undefined && own !== undefined ? `file:${own}` : undefined);
  const addresses = wishes.servers ?? (wishes.context === undefined ? serversOf(found, operator, matching) : undefined);
  const needsContext = systemCredentials === undefined || addresses === undefined;
  const context = wishes.context ?? (needsContext ? matching?.name : undefined);
  if (context === undefined && systemCredentials === undefined)
    return { missing: { what: "system credentials", operator } };
  if (context === undefined && addresses === undefined) return { missing: { what: "servers", operator } };
  const signingKey = signingKeyOf(wishes, operator);
  const setup = {
    operator,
    ...defined({ context, servers: addresses, systemCredentials, signingKey }),
    serversFrom: originOf(wishes, operator),
    readOnly: wishes.readOnly || signingKey === undefined,
  };
  return { setup };
}

function operatorOf({ operators, stores }: Found, { operator: wanted }: SetupWishes): FoundOperator | Missing {
  const named = wanted === undefined ? operators : operators.filter(({ name, id }) => name === wanted || id === wanted);
  const [first, ...others] = named;
  if (first !== undefined && others.length === 0) return first;
  if (operators.length === 0) return { what: "operator JWT", stores };
  return { what: "operator", among: first === undefined ? operators : named, ...defined({ wanted }) };
}

/** The only context whose user is one of the operator's system account. */
function onlyContext(contexts: readonly FoundContext[], { systemAccount }: FoundOperator): FoundContext | undefined {
  const [first, ...others] = contexts.filter(({ account }) => account !== undefined && account === systemAccount);
  return others.length === 0 ? first : undefined;
}

/** Undefined if there are none, or if the context's are the best that there is. */
function serversOf(
  { local }: Found,
  { serviceUrls }: FoundOperator,
  matching: FoundContext | undefined,
): readonly string[] | undefined {
  const usable = usableUrls(serviceUrls);
  if (usable.length > 0) return usable;
  return matching === undefined && local.length > 0 ? local : undefined;
}

/** Service URLs may also be for WebSocket. */
const usableUrls = (urls: readonly string[]): readonly string[] => urls.filter((url) => readServerAddress(url).ok);

function originOf({ servers }: SetupWishes, { serviceUrls }: FoundOperator): string {
  if (servers !== undefined) return "The servers that were named.";
  return usableUrls(serviceUrls).length > 0 ? "The service URLs in the operator's JWT." : "It listens on this machine.";
}

function signingKeyOf({ signingKey }: SetupWishes, operator: FoundOperator): Setup["signingKey"] {
  if (signingKey !== undefined) return { reference: signingKey, about: "the key that was named" };
  const [best] = operator.keys;
  return best && { reference: `file:${best.file}`, about: describeKey(best, operator) };
}

const describeKey = ({ publicKey }: FoundKey, { id }: FoundOperator): string =>
  publicKey === id
    ? `the operator's own key ${publicKey}; a signing key would be safer`
    : `the operator's signing key ${publicKey}`;
