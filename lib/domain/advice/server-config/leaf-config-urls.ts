import type { LeafRemote, Text } from "./leaf-config.ts";
import { type ConfigFinding, configFinding } from "./leaf-config-findings.ts";

/** The port of leafnodes if a url names none. */
export const LEAF_PORT = 7422;

export interface LeafUrl {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  /** Without user and password. */
  readonly shown: string;
}

const URL_PARTS = /^([a-z][a-z0-9+.-]*):\/\/(?:[^/]*@)?(\[[^\]]+\]|[^:/?#@]+)(?::(\d{1,5}))?(?:[/?#].*)?$/i;

/** Undefined if the url has no host. Accepts less than a library would, and never shows a password. */
export function parseLeafUrl({ value }: Text): LeafUrl | undefined {
  const [, scheme, host, port] = URL_PARTS.exec(value.trim()) ?? [];
  if (scheme === undefined || host === undefined) return undefined;
  const shown = `${scheme}://${host}${port === undefined ? "" : `:${port}`}`;
  return { scheme: scheme.toLowerCase(), host, port: port === undefined ? LEAF_PORT : Number(port), shown };
}

const WEBSOCKET = ["ws", "wss"];
const SCHEMES = ["nats-leaf", "nats", "tls", "leaf", ...WEBSOCKET];
const OTHER_PORTS: Readonly<Record<number, string>> = {
  4222: "the usual port for clients",
  6222: "the usual port for routes",
  7222: "the usual port for gateways",
  8222: "the usual port for monitoring",
};

export function checkUrls({ at, urls }: LeafRemote): readonly ConfigFinding[] {
  if (urls.length === 0) return [configFinding("remote.no_urls", at, "the remote has no url")];
  const parsed = urls.map(parseLeafUrl);
  const websockets = parsed.filter((url) => url !== undefined && WEBSOCKET.includes(url.scheme)).length;
  const isMixed = websockets > 0 && websockets < urls.length;
  const mixed = isMixed
    ? [configFinding("url.mixed_websocket", at, `${websockets} of ${urls.length} urls are websockets`)]
    : [];
  return [...urls.flatMap((url, index) => checkUrl(url, parsed[index])), ...mixed];
}

function checkUrl({ at }: Text, url: LeafUrl | undefined): readonly ConfigFinding[] {
  // Do not show an unreadable url: any part of it may be a password.
  if (url === undefined) return [configFinding("url.malformed", at, "the url is not SCHEME://HOST:PORT")];
  const { scheme, port, shown } = url;
  const findings: ConfigFinding[] = [];
  if (!SCHEMES.includes(scheme)) findings.push(configFinding("url.scheme", at, `${shown} has the scheme "${scheme}"`));
  const other = OTHER_PORTS[port];
  if (other !== undefined && !WEBSOCKET.includes(scheme))
    findings.push(configFinding("url.port", at, `${shown} has ${other}; a leafnode port is usually ${LEAF_PORT}`));
  return findings;
}
