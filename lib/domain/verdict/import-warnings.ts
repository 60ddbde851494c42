import type { AccountClaims } from "../claims/claims.ts";
import { doOverlap } from "../gate/subjects.ts";
import type { ServerFacts, StreamFacts } from "../observation/observation.ts";
import { isJsonObject, type Json } from "../time/json.ts";
import { explainDefect } from "./defects.ts";
import type { Warning } from "./verdict.ts";

const ISSUE = "#6498";

/** What servers with the defect may not do after imports changed, for people; undefined if none has it. */
export function importDefect(servers: readonly Pick<ServerFacts, "version">[]): string | undefined {
  const known = servers.flatMap(({ version }) => explainDefect(version, ISSUE) ?? []);
  return known[0];
}

/** Streams that should take imported messages, but may not: whether imports came after the last start can't be seen. */
export function importWarnings(
  claims: AccountClaims | undefined,
  streams: readonly StreamFacts[],
  servers: readonly ServerFacts[],
): readonly Warning[] {
  const defect = importDefect(servers.filter(({ jetstream }) => jetstream));
  if (claims === undefined || defect === undefined) return [];
  const subjects = importedSubjects(claims);
  return streams.flatMap(({ name: stream, subjects: own }): readonly Warning[] => {
    const imported = subjects.find((subject) => own.some((it) => doOverlap(subject, it)));
    if (imported === undefined) return [];
    const message = `stream ${stream} listens on ${imported}, which is imported: if the import is newer than the server's last start, the stream takes nothing of it; ${defect}`;
    return [{ code: "import.unproved", subject: { stream }, message }];
  });
}

/** The subjects on which the account receives imported streams. */
function importedSubjects({ nats }: AccountClaims): readonly string[] {
  const imports: readonly Json[] = Array.isArray(nats["imports"]) ? nats["imports"] : [];
  return imports.filter(isJsonObject).flatMap(({ type, subject, to, local_subject: local }) => {
    if (type !== "stream") return [];
    // `to` is an old prefix; `local_subject` may refer to wildcards of the subject as $1.
    if (typeof local === "string" && local !== "") return [local.replaceAll(/\$\d+/g, "*")];
    const whole = typeof subject === "string" ? subject : "";
    return [typeof to === "string" && to !== "" ? `${to}.${whole}` : whole];
  });
}
