import type { Millis } from "../../../domain/time/time.ts";
import { millis } from "../../../domain/time/time.ts";
import { RelightError } from "../../../errors.ts";
import { serverCertificates, silentListener } from "./certificates.ts";
import { type Attempt, TlsRefusal } from "./dial.ts";
import { describeOwn, type Servers, type Tls } from "./tls.ts";

/** Explains connection failures that are caused by TLS or its absence. */

/** Node's codes for OpenSSL's verification errors, and their meanings. */
const UNTRUSTED: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: "it is self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "its CA is private",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its CA is unknown, or the server leaves out the intermediate certificates",
  UNABLE_TO_GET_ISSUER_CERT: "its CA is unknown",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its CA is unknown, or the server leaves out the intermediate certificates",
  CERT_SIGNATURE_FAILURE: "another CA with the same name signed it",
  CERT_UNTRUSTED: "its CA is not trusted",
  INVALID_CA: "its issuer is not a CA",
  INVALID_PURPOSE: "it is not a server certificate",
  CERT_CHAIN_TOO_LONG: "its chain is too long",
};
const OUT_OF_TIME = new Set(["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"]);
const NOT_TLS = /^(EPROTO|ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST))$/;
/** TLS alerts with which servers require a client certificate, depending on the TLS version. */
const DEMANDED = /CERTIFICATE_REQUIRED|BAD_CERTIFICATE|HANDSHAKE_FAILURE/;
/** How long a second connection, which only improves the error message, may take; milliseconds. */
const LOOK = 2_000;

/** The first failure with an explanation; undefined if TLS is not the cause. */
export async function tlsFailure(
  attempts: readonly Attempt[],
  servers: Servers,
  timeout: Millis,
): Promise<RelightError | undefined> {
  const bound = millis(Math.min(LOOK, timeout));
  for (const attempt of attempts) {
    const { reached, encrypted, greeting, error } = attempt;
    const known = await explain(attempt, servers, bound);
    if (known !== undefined) return known;
    if (reached && greeting === "" && !encrypted && error !== undefined) {
      const silent = await explainSilence(attempt, bound);
      if (silent !== undefined) return silent;
    }
  }
  return undefined;
}

async function explain(
  { server, greeting, encrypted, error: cause }: Attempt,
  { tls }: Servers,
  bound: Millis,
): Promise<RelightError | undefined> {
  const failed = (message: string): RelightError =>
    new RelightError("nats.tls_failed", message, { cause, details: { server } });
  if (cause instanceof TlsRefusal && cause.why === "no-tls") {
    const wanted = tls === undefined ? "cluster.servers says tls://" : "cluster.tls is configured";
    const message = `the server at ${server} has no TLS, but ${wanted}: secure connection not available. Nothing was sent to it`;
    return new RelightError("nats.no_tls", message, { cause, details: { server } });
  }
  if (cause instanceof TlsRefusal && cause.why === "injected")
    return failed(
      `the server at ${server} continued in plain text where TLS should begin: somebody may be intercepting the connection. Nothing was sent to it`,
    );
  if (cause instanceof TlsRefusal) return failed(demands(server));
  const { code = "" } = (cause ?? {}) as { readonly code?: string };
  const reason = UNTRUSTED[code];
  if (reason !== undefined) return failed(untrusted(server, reason, tls));
  if (OUT_OF_TIME.has(code)) return failed(await outOfTime(server, code, bound));
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return failed(wrongName(server, cause as NameMismatch));
  if (NOT_TLS.test(code) && greeting === "" && !encrypted)
    return failed(
      `the server at ${server} does not begin with TLS, but cluster.tls.handshakeFirst is true: remove that, unless the server has handshake_first`,
    );
  if (/ALERT/.test(code)) return failed(alerted(server, code, tls));
  if (/^ERR_(SSL|TLS|OSSL)|^EPROTO$/.test(code)) return failed(`TLS with ${server} failed: ${code}`);
  const unreachable = (message: string): RelightError => new RelightError("nats.unreachable", message, { cause });
  if (encrypted && tls?.cert !== undefined && /^(EPIPE|ECONNRESET)$/.test(code))
    return unreachable(
      `${server} closed the connection as soon as TLS was established (${code}): it may refuse the client certificate in cluster.tls.cert (${describeOwn(tls)})`,
    );
  if (encrypted && greeting === "" && cause !== undefined)
    return unreachable(`${server} accepted TLS and then sent nothing: it may not be a nats-server`);
  if (greeting !== "" && !greeting.startsWith("INFO"))
    return unreachable(`${server} is not a nats-server: it sent “${quote(greeting)}”`);
  return undefined;
}

const demands = (server: string): string =>
  `the server at ${server} requires a client certificate: configure one (cluster.tls.cert and cluster.tls.key)`;

function untrusted(server: string, reason: string, tls: Tls | undefined): string {
  const advice =
    tls?.ca === undefined
      ? "Name the CA in cluster.tls.ca (the machine's own list of CAs is not used)"
      : "No certificate in cluster.tls.ca signed it";
  return `the certificate of ${server} is not trusted: ${reason}. ${advice}`;
}

/** Connects again to get the dates, which the client's error lacks. */
async function outOfTime(server: string, code: string, bound: Millis): Promise<string> {
  const [certificate] = await serverCertificates([server], bound);
  const seen = certificate?.seen.ok === true ? certificate.seen.value : undefined;
  const what = code === "CERT_HAS_EXPIRED" ? "has expired" : "is not valid yet";
  if (seen === undefined) return `the certificate of ${server}, or one that signed it, ${what}`;
  const [from, until] = [seen.begins, seen.expiresAt].map((at) => new Date(at).toISOString());
  const isOwn = seen.expiresAt < Date.now() || seen.begins > Date.now();
  const whose = isOwn
    ? `the certificate of ${server} (${quote(seen.name)})`
    : `the issuer of the certificate of ${server}`;
  const dates = isOwn ? `: it is valid from ${from} until ${until}` : "";
  return `${whose} ${what}${dates}; this machine's time is ${new Date().toISOString()}`;
}

/** The part of Node's error with the certificate's names. */
interface NameMismatch {
  readonly cert?: { readonly subjectaltname?: string; readonly subject?: { readonly CN?: string } };
}

function wrongName(server: string, { cert }: NameMismatch): string {
  const names = cert?.subjectaltname ?? cert?.subject?.CN ?? "nobody";
  return `the certificate of ${server} is for another name: it is for ${quote(names)}. Connect with one of these names, or give the server a certificate for this one`;
}

function alerted(server: string, code: string, tls: Tls | undefined): string {
  const alert = code.replace(/^ERR_SSL_/, "");
  if (tls?.cert === undefined && DEMANDED.test(code)) return `${demands(server)} (its alert: ${alert})`;
  if (tls?.cert !== undefined && /CERT|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE/.test(code))
    return `the server at ${server} refused the client certificate in cluster.tls.cert (${describeOwn(tls)}): ${alert}`;
  return `the server at ${server} aborted TLS: ${alert}`;
}

async function explainSilence({ server, error: cause }: Attempt, bound: Millis): Promise<RelightError | undefined> {
  const listener = await silentListener(server, bound);
  if (listener === "tls")
    return new RelightError(
      "nats.tls_failed",
      `the server at ${server} sends nothing before TLS is established (handshake_first): set cluster.tls.handshakeFirst: true`,
      { cause, details: { server } },
    );
  if (listener === "http")
    return new RelightError("nats.unreachable", `${server} is not a nats-server: it speaks HTTP`, { cause });
  return undefined;
}

/** Untrusted text, shortened and printable. */
const quote = (text: string): string => text.replace(/[^\x20-\x7e]/g, "?").slice(0, 300);
