import type { LeafRemote, Text } from "./leaf-config.ts";
import { type ConfigFinding, configFinding } from "./leaf-config-findings.ts";

/** The port of leafnodes if a url names none. */
export const LEAF_PORT = 7422;

export interface LeafUrl {
  readonly scheme: string;
  /** The user before the password, and whether there is one; never the password. */
  readonly user?: string;
  readonly host: string;
  readonly port: number;
  /** Without user and password. */
  readonly shown: string;
  readonly hasPort: boolean;
}

const PARTS = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)(?:[/?#].*)?$/i;
const HOST = /^(\[[^\]]+\]|[^:[\]@\s{}|\\^`%]+)(?::(\d*))?$/;
/** What Go's net/url accepts in a user and password: `validUserinfo`, with complete escapes. */
const USER = /^(?:[\w\-.:~!$&'()*+,;=@]|%[0-9a-f]{2})*$/i;

/** Undefined if the url can't be read or has no host. Never shows a password. */
export function parseLeafUrl({ value }: Text): LeafUrl | undefined {
  const [, scheme, authority = ""] = PARTS.exec(value.trim()) ?? [];
  const end = authority.lastIndexOf("@");
  const user = authority.slice(0, Math.max(end, 0));
  const [, host, port = ""] = HOST.exec(authority.slice(end + 1)) ?? [];
  if (scheme === undefined || host === undefined || !USER.test(user)) return undefined;
  return {
    scheme: scheme.toLowerCase(),
    host,
    port: port === "" ? LEAF_PORT : Number(port),
    shown: `${scheme}://${host}${port === "" ? "" : `:${port}`}`,
    hasPort: port !== "",
    ...(end > 0 && { user: user.split(":")[0] ?? "" }),
  };
}

const WEBSOCKET = ["ws", "wss"];
const SCHEMES = ["nats-leaf", "nats", "tls", "leaf", ...WEBSOCKET];
const OTHER_PORTS: Readonly<Record<number, string>> = {
  4222: "the usual port for clients",
  6222: "the usual port for routes",
  7222: "the usual port for gateways",
  8222: "the usual port for monitoring",
};

export function checkUrls({ at, urls, unknown }: LeafRemote): readonly ConfigFinding[] {
  if (urls.length === 0 && unknown.includes("urls")) return [];
  if (urls.length === 0) return [configFinding("remote.no_urls", at, "the remote has no url")];
  const parsed = urls.map(parseLeafUrl);
  const websockets = parsed.filter((url) => url !== undefined && WEBSOCKET.includes(url.scheme)).length;
  const isMixed = websockets > 0 && websockets < urls.length;
  const mixed = isMixed
    ? [configFinding("url.mixed_websocket", at, `${websockets} of ${urls.length} urls are websockets`)]
    : [];
  return [...urls.flatMap((url, index) => checkUrl(url, parsed[index])), ...mixed];
}

/** What stands for a value that nobody filled in: `$HUB`, `${HUB}`, `<hub-ip>`, `{{ .hub }}`, `%%HUB%%`. */
const PLACEHOLDER = /\$\{[^}]*\}|\$[A-Z_][A-Z0-9_]+|<[^<>@]*>|\{\{.*?\}\}|%%\w+%%|__[A-Z_]+__/;

function checkUrl(url: Text, parsed: LeafUrl | undefined): readonly ConfigFinding[] {
  const { at, value } = url;
  const finding = (code: Parameters<typeof configFinding>[0], problem: string): readonly ConfigFinding[] => [
    configFinding(code, at, problem),
  ];
  // Do not show a placeholder or an unreadable url: any part of it may be a password.
  if (PLACEHOLDER.test(value)) return finding("url.placeholder", "the url has a placeholder, which is taken literally");
  if (parsed === undefined && isUnescaped(value))
    return finding("url.unescaped", "the user or password has a character that must be written as %XX");
  if (parsed === undefined) return finding("url.malformed", "the url is not SCHEME://HOST:PORT");
  return checkParts(at, parsed);
}

/** A url whose user or password ends it too early, or has what is no escape. */
function isUnescaped(value: string): boolean {
  const rest = /^[a-z][a-z0-9+.-]*:\/\/(.*)$/i.exec(value.trim())?.[1] ?? "";
  const end = rest.lastIndexOf("@");
  return end > 0 && HOST.test(rest.slice(end + 1).replace(/[/?#].*$/, "")) && !USER.test(rest.slice(0, end));
}

function checkParts(at: Text["at"], { scheme, port, shown, hasPort }: LeafUrl): readonly ConfigFinding[] {
  const findings: ConfigFinding[] = [];
  const isWebsocket = WEBSOCKET.includes(scheme);
  if (!SCHEMES.includes(scheme)) findings.push(configFinding("url.scheme", at, `${shown} has the scheme "${scheme}"`));
  const other = OTHER_PORTS[port];
  if (other !== undefined && !isWebsocket)
    findings.push(configFinding("url.port", at, `${shown} has ${other}; a leafnode port is usually ${LEAF_PORT}`));
  if (port < 1 || port > 65_535)
    findings.push(configFinding("url.port_invalid", at, `${shown} has a port that no server can have`));
  if (isWebsocket && !hasPort)
    findings.push(configFinding("url.websocket_port", at, `${shown} has no port, so the server dials ${LEAF_PORT}`));
  return findings;
}
