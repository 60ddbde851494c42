import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { RelightError } from "../../../errors.ts";

/** `cluster.tls` with its secrets. Texts are PEM. */
export interface Tls {
  /** Trusted CAs, instead of the public ones. */
  readonly ca?: string;
  /** Relight's own certificate, for servers that require one (`verify: true`), with `key`. */
  readonly cert?: string;
  readonly key?: string;
  /** Whether TLS comes before INFO, for servers with `handshake_first`. */
  readonly handshakeFirst: boolean;
}

/** How to reach the servers. */
export interface Servers {
  /** As configured: `HOST:PORT`, `nats://HOST:PORT` or `tls://HOST:PORT`. */
  readonly addresses: readonly string[];
  /** Undefined if `cluster.tls` is not configured. */
  readonly tls: Tls | undefined;
}

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const PRIVATE_KEY = /-----BEGIN ((?:\w+ )*)PRIVATE KEY-----[\s\S]+?-----END \1PRIVATE KEY-----/;

/** Checks the texts before connecting to any server. @throws RelightError `secret.malformed` */
export function checkTls(tls: Tls): Tls {
  if (tls.ca !== undefined) certificates("ca", tls.ca);
  if (tls.cert === undefined || tls.key === undefined) return tls;
  const [own] = certificates("cert", tls.cert);
  const block = PRIVATE_KEY.exec(tls.key)?.[0];
  const key = privateKey(block);
  if (own?.checkPrivateKey(key) === false)
    throw malformed("key", `does not belong to the certificate in cluster.tls.cert (${describeOwn(tls)})`);
  return { ...tls, key: String(block) };
}

/** Describes Relight's own certificate; empty if it has none. */
export function describeOwn({ cert }: Pick<Tls, "cert">): string {
  if (cert === undefined) return "";
  const [own] = certificates("cert", cert);
  return own === undefined ? "" : `${line(own.subject)}, issued by ${line(own.issuer)}, until ${own.validTo}`;
}

/** A distinguished name on one line. */
const line = (name: string | undefined): string => (name ?? "").split("\n").join(", ");

function certificates(field: "ca" | "cert", text: string): readonly X509Certificate[] {
  const blocks = text.match(CERTIFICATES);
  if (blocks === null) throw malformed(field, "contains no certificate (PEM, -----BEGIN CERTIFICATE-----)");
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (cause) {
    throw malformed(field, "contains a certificate that can't be read", cause);
  }
}

function privateKey(block: string | undefined): KeyObject {
  if (block === undefined) throw malformed("key", "contains no private key (PEM, -----BEGIN PRIVATE KEY-----)");
  if (/ENCRYPTED/.test(block))
    throw malformed("key", "is encrypted, but Relight has no passphrase: store it without one");
  try {
    return createPrivateKey(block);
  } catch (cause) {
    throw malformed("key", "contains a private key that can't be read", cause);
  }
}

const malformed = (field: keyof Tls, problem: string, cause?: unknown): RelightError =>
  new RelightError("secret.malformed", `cluster.tls.${field} ${problem}`, { cause });
