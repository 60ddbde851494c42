import { createHash, timingSafeEqual } from "node:crypto";
import { BlockList, isIPv6 } from "node:net";
import { isPrintable } from "../domain/time/printable.ts";
import { type EpochMillis, formatDuration } from "../domain/time/time.ts";
import { RelightError } from "../errors.ts";
import type { Log } from "../ports/log.ts";
import { lockout, plainAddress } from "./lockout.ts";
import { type Person, type Role, type Roles, roleOf } from "./person.ts";

/** Who may use the console and the API. */
export interface AccessSettings {
  /** Where people open it. */
  readonly url?: string;
  readonly tokens: readonly { readonly role: Role; readonly token: string }[];
  readonly trustedProxy?: Roles & {
    /** Addresses and networks. */
    readonly addresses: readonly string[];
    /** Names of headers. */
    readonly user: string;
    readonly groups?: string;
  };
  readonly oidc?: OidcSettings;
}

export interface OidcSettings extends Roles {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** The claim with the name for the journal, and the one with the names or groups of {@link Roles}. */
  readonly name: string;
  readonly claim: string;
  readonly scopes: readonly string[];
}

/** Of a request. */
export interface Caller {
  /** Of the connection. */
  readonly address: string;
  header(name: string): string | undefined;
}

/** Decides who is let in, and counts failed sign-ins. The code that answers the request logs the refusal. */
export interface Access {
  readonly settings: AccessSettings;
  /**
   * The person or program that sent the request, by the proxy's header or a token; undefined if it names nobody.
   * @throws RelightError `request.unauthorized`, `request.locked`
   */
  letIn(caller: Caller): Person | undefined;
  /** The role of a typed token. @throws RelightError `request.unauthorized`, `request.locked` */
  roleOfToken(token: string, caller: Caller): Role;
  /** The role of somebody with these names or groups. @throws RelightError `request.unauthorized` for none */
  roleIn(roles: Roles, names: readonly string[], who: string): Role;
  /** Counts a failure to prove who it is, and returns its error. */
  refuse(caller: Caller, why: string): RelightError;
  /** @throws RelightError `request.locked` while the caller's address is locked */
  checkLock(caller: Caller): void;
}

/** The most characters of a name that a header or a claim gives. */
const LONGEST_NAME = 200;

/** What is wrong with a name, to follow "the name"; undefined if nothing is. */
export function faultOfName(text: string): string | undefined {
  if (text.trim() === "") return "is empty";
  if (text.length > LONGEST_NAME) return `has ${text.length} characters; at most ${LONGEST_NAME} are kept`;
  return isPrintable(text) ? undefined : "has control characters or invisible ones";
}

export const isName = (text: string): boolean => faultOfName(text) === undefined;

export function accessOf(
  settings: AccessSettings,
  { now, log }: { readonly now: () => EpochMillis; readonly log: Log },
): Access {
  const { tokens, trustedProxy } = settings;
  const locks = lockout(now);
  const proxies = blockList(trustedProxy?.addresses ?? []);

  const checkLock = ({ address }: Caller): void => {
    const left = locks.lockedFor(address);
    if (left === undefined) return;
    throw new RelightError("request.locked", `too many failures from ${address}; try again in ${formatDuration(left)}`);
  };

  const refuse = ({ address }: Caller, why: string): RelightError => {
    if (locks.fail(address)) log.warn("an address was locked after too many failures", { address });
    return new RelightError("request.unauthorized", why);
  };

  /** It is known who it is, so nothing was guessed. */
  const deny = (why: string): RelightError => new RelightError("request.unauthorized", why);

  const roleOfToken = (token: string, caller: Caller): Role => {
    checkLock(caller);
    // Compares with each, so the time does not tell which one was like it.
    const [match] = tokens.filter((one) => isSame(one.token, token));
    if (match === undefined) throw refuse(caller, "the token is wrong");
    locks.succeed(caller.address);
    return match.role;
  };

  const roleIn: Access["roleIn"] = (roles, names, who) => {
    const role = roleOf(roles, names);
    if (role === undefined) throw deny(`${who} is neither an operator nor a viewer`);
    return role;
  };

  /** The proxy names the person; undefined if the request is not from it, or names nobody. */
  function fromProxy(caller: Caller): Person | undefined {
    const name = trustedProxy && isIn(proxies, caller.address) ? caller.header(trustedProxy.user) : undefined;
    if (trustedProxy === undefined || name === undefined) return undefined;
    const fault = faultOfName(name);
    if (fault !== undefined) throw deny(`the name in the header ${trustedProxy.user} ${fault}`);
    const groups =
      trustedProxy.groups && (caller.header(trustedProxy.groups) ?? "").split(",").map((one) => one.trim());
    return { name, role: roleIn(trustedProxy, groups || [name], name), way: "trustedProxy" };
  }

  function fromToken(caller: Caller): Person | undefined {
    const [, token] = /^Bearer +(\S+) *$/i.exec(caller.header("authorization") ?? "") ?? [];
    if (token === undefined) return undefined;
    const role = roleOfToken(token, caller);
    return { name: `the ${role} token`, role, way: "token" };
  }

  return {
    settings,
    letIn: (caller) => fromProxy(caller) ?? fromToken(caller),
    roleOfToken,
    roleIn,
    refuse,
    checkLock,
  };
}

/** Compares without telling by the time it takes where they differ. */
export function isSame(one: string, other: string): boolean {
  const hash = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(one), hash(other));
}

function blockList(addresses: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of addresses) {
    const [host = "", prefix] = text.split("/");
    const family = isIPv6(host) ? "ipv6" : "ipv4";
    if (prefix === undefined) list.addAddress(host, family);
    else list.addSubnet(host, Number(prefix), family);
  }
  return list;
}

function isIn(list: BlockList, address: string): boolean {
  const plain = plainAddress(address);
  return list.check(plain, isIPv6(plain) ? "ipv6" : "ipv4");
}
