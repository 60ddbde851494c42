import { type AccountId, isAccountId } from "../claims/account.ts";
import type { AccountClaims } from "../claims/claims.ts";
import { doOverlap } from "../gate/subjects.ts";
import type { ServerFacts, StreamFacts } from "../observation/observation.ts";
import { isJsonObject, type Json } from "../time/json.ts";
import { explainDefect } from "./defects.ts";
import { finding } from "./findings.ts";
import type { Finding, Warning } from "./verdict.ts";

const ISSUE = "#6498";

/** What servers with the defect may not do after imports changed, for people; undefined if none has it. */
export function importDefect(servers: readonly Pick<ServerFacts, "version">[]): string | undefined {
  const known = servers.flatMap(({ version }) => explainDefect(version, ISSUE) ?? []);
  return known[0];
}

/** An imported stream. */
export interface StreamImport {
  readonly exporter: AccountId;
  /** The subject on which the account receives it. */
  readonly subject: string;
}

/** What each stream should take of the account's imports, where its server may not deliver it; by the stream's name. */
export function importsInDoubt(
  claims: AccountClaims | undefined,
  streams: readonly StreamFacts[],
  servers: readonly ServerFacts[],
): ReadonlyMap<string, readonly StreamImport[]> {
  const imports = claims === undefined ? [] : streamImports(claims);
  if (imports.length === 0) return new Map();
  const defective = new Set(servers.filter((server) => importDefect([server]) !== undefined).map(({ name }) => name));
  const inDoubt = streams.flatMap(({ name, server, subjects }) => {
    if (!defective.has(server)) return [];
    const taken = imports.filter(({ subject }) => subjects.some((own) => doOverlap(subject, own)));
    return taken.length === 0 ? [] : [[name, taken] as const];
  });
  return new Map(inDoubt);
}

/** Streams that should take imported messages, where it could not be seen whether they do. */
export function importWarnings(
  claims: AccountClaims | undefined,
  streams: readonly StreamFacts[],
  servers: readonly ServerFacts[],
): readonly Warning[] {
  const inDoubt = importsInDoubt(claims, streams, servers);
  return streams.flatMap(({ name: stream, server, deafImports }): readonly Warning[] => {
    const [first] = inDoubt.get(stream) ?? [];
    if (first === undefined || deafImports?.ok) return [];
    const defect = importDefect(servers.filter(({ name }) => name === server));
    const message = `stream ${stream} listens on ${first.subject}, which is imported: if the import is newer than the server's last start, the stream takes nothing of it; ${defect}`;
    return [{ code: "import.unproved", subject: { stream }, message }];
  });
}

/** Streams that take nothing of an import. A new leader, or a restarted server, subscribes to it (tested on 2.10.20). */
export function importFindings({ name, server, peers, deafImports }: StreamFacts): readonly Finding[] {
  if (!deafImports?.ok || deafImports.value.length === 0) return [];
  const subjects = deafImports.value.join(", ");
  const advice = peers.length > 0 ? `move its leader (\`nats stream cluster step-down ${name}\`)` : `restart ${server}`;
  const message = `stream ${name} takes nothing of the import on ${subjects}, which is newer than the last start of ${server} (nats-server ${ISSUE}): ${advice}`;
  return [finding("import.deaf", "degraded", { server, stream: name }, message, { probe: "SUBSZ" })];
}

function streamImports({ nats }: AccountClaims): readonly StreamImport[] {
  const imports: readonly Json[] = Array.isArray(nats["imports"]) ? nats["imports"] : [];
  return imports.filter(isJsonObject).flatMap(({ type, subject, to, local_subject: local, account }) => {
    if (type !== "stream" || typeof account !== "string" || !isAccountId(account)) return [];
    return [{ exporter: account, subject: subjectReceived(subject, to, local) }];
  });
}

/** `to` is an old prefix; `local_subject` may refer to wildcards of the subject as $1. */
function subjectReceived(subject: Json | undefined, to: Json | undefined, local: Json | undefined): string {
  if (typeof local === "string" && local !== "") return local.replaceAll(/\$\d+/g, "*");
  const whole = typeof subject === "string" ? subject : "";
  return typeof to === "string" && to !== "" ? `${to}.${whole}` : whole;
}
