import type { AccountClaims } from "../claims/claims.ts";
import { readPayload } from "../claims/jwt-text.ts";
import { isPublicKey } from "../claims/nkey.ts";
import { limitsOf } from "../limits/jetstream-limits.ts";
import { isJsonObject, type Json, type JsonObject } from "../time/json.ts";
import { mappingProblems } from "./mappings.ts";
import { hasWildcards, isContained, subjectProblem } from "./subjects.ts";

/** Why servers refuse claims that they can decode. */
export interface ServerObjection {
  readonly message: string;
  /** Whether every server since 2.9 refuses it; otherwise only newer ones do. */
  readonly everywhere: boolean;
}

type Problems = readonly ServerObjection[];

/**
 * What the servers' own validation of account claims refuses (`Validate` in nats-io/jwt v2.3.0 to v2.8.3, and for
 * mappings nats-server 2.15). Each server that validates answers a push with an error. Follows the newest version. Does
 * not check the signatures of activation tokens.
 */
export function serverObjections(claims: AccountClaims): readonly ServerObjection[] {
  const { nats } = claims;
  const limits = limitsOf(claims);
  const [imports, exports] = [objectsIn(nats["imports"]), objectsIn(nats["exports"])];
  return [
    ...imports.flatMap((it) => importProblems(it, claims)),
    ...overlapsOfImports(imports),
    ...exports.flatMap(exportProblems),
    ...overlapsOfExports(exports),
    ...countProblems("imports", imports.length, limits),
    ...countProblems("exports", exports.length, limits),
    ...wildcardProblems(exports, limits),
    ...("" in objectOf(limits["tiered_limits"]) ? [always("a tier has no name")] : []),
    ...permissionProblems(objectOf(nats["default_permissions"])),
    ...mappingProblems(claims).map(newer),
    ...authorizationProblems(objectOf(nats["authorization"])),
    ...traceProblems(nats["trace"]),
    ...signingKeyProblems(nats["signing_keys"]),
    ...infoProblems(nats),
    ...trafficProblems(textOf(nats["cluster_traffic"])),
  ];
}

const always = (message: string): ServerObjection => ({ message, everywhere: true });
const newer = (message: string): ServerObjection => ({ message, everywhere: false });
const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : "");
const objectOf = (value: Json | undefined): JsonObject => (isJsonObject(value) ? value : {});
const listOf = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : []);
const objectsIn = (value: Json | undefined): readonly JsonObject[] => listOf(value).filter(isJsonObject);
const textsIn = (value: Json | undefined): readonly string[] => listOf(value).map((it) => textOf(it));
const quoted = (text: string): string => JSON.stringify(text);

/** Up to 2.9 a subject only had to be non-empty and without spaces. */
function subjectObjections(subject: string, where: string): Problems {
  const problem = subjectProblem(subject);
  if (problem === undefined) return [];
  return [{ message: `${where}: ${problem}`, everywhere: subject === "" || subject.includes(" ") }];
}

function importProblems(it: JsonObject, { sub }: AccountClaims): Problems {
  const [subject, account, type] = [textOf(it["subject"]), textOf(it["account"]), textOf(it["type"])];
  const [local, to, token] = [textOf(it["local_subject"]), textOf(it["to"]), textOf(it["token"])];
  const where = `the import of ${quoted(subject)}`;
  return [
    ...(type === "" ? [always(`${where} has no type`)] : []),
    ...(account === "" ? [always(`${where} names no account`)] : []),
    ...subjectObjections(subject, where),
    ...(local === "" ? [] : renamingProblems(local, subject, where)),
    ...(local !== "" && to !== "" ? [always(`${where} has both local_subject and to`)] : []),
    ...(it["share"] === true && type !== "service" ? [always(`${where} has share, but is not a service`)] : []),
    ...(it["allow_trace"] === true && type === "service" ? [newer(`${where} has allow_trace, but is a service`)] : []),
    ...(token === "" ? [] : activationProblems(token, { ...it, to }, sub, where)),
  ];
}

function renamingProblems(local: string, from: string, where: string): Problems {
  const isOpen = (subject: string): boolean => subject.split(".").at(-1) === ">";
  const wildcards = from.split(".").filter((token) => token === "*").length;
  const references = local.split(".").filter((token) => token === "*" || /^\$[+-]?\d+$/.test(token));
  const tooFar = references.some((token) => Number(token.slice(1)) > wildcards);
  return [
    ...subjectObjections(local, `${where}: local_subject`),
    ...(isOpen(local) === isOpen(from) ? [] : [always(`${where}: only one of subject and local_subject ends in >`)]),
    ...(references.length === wildcards && !tooFar
      ? []
      : [always(`${where}: local_subject refers to wildcards that do not exist`)]),
  ];
}

function activationProblems(token: string, it: JsonObject, account: string, where: string): Problems {
  const claims = readPayload(token);
  const nats = objectOf(claims?.["nats"]);
  if (claims === undefined || nats["type"] !== "activation")
    return [always(`${where}: its token is not an activation token`)];
  const [from, to] = [textOf(it["account"]), textOf(it["to"])];
  const subject = it["type"] === "service" && to !== "" ? to : textOf(it["subject"]);
  const isRight =
    [claims["iss"], nats["issuer_account"]].includes(from) &&
    claims["sub"] === account &&
    nats["kind"] === it["type"] &&
    isContained(subject, textOf(nats["subject"]));
  return isRight ? [] : [always(`${where}: its token is for another import`)];
}

/** Two services with overlapping subjects; up to 2.12 also if they are of different accounts. */
function overlapsOfImports(imports: readonly JsonObject[]): Problems {
  const services = imports
    .filter((it) => it["type"] === "service")
    .map((it) => ({ account: it["account"], subject: localSubjectOf(it) }));
  return services.flatMap(({ account, subject }, at) => {
    const other = services
      .slice(0, at)
      .find((it) => it.account === account && (isContained(it.subject, subject) || isContained(subject, it.subject)));
    return other === undefined ? [] : [always(`the imports ${quoted(other.subject)} and ${quoted(subject)} overlap`)];
  });
}

/** The local subjects of the services that the account imports. */
export function importedServices({ nats }: AccountClaims): readonly string[] {
  return objectsIn(nats["imports"])
    .filter((it) => it["type"] === "service")
    .map(localSubjectOf);
}

function localSubjectOf(it: JsonObject): string {
  const local = textOf(it["local_subject"])
    .split(".")
    .map((token) => (/^\$[+-]?\d+$/.test(token) ? "*" : token));
  return textOf(it["to"]) || local.join(".") || textOf(it["subject"]);
}

const RESPONSES = ["", "Singleton", "Stream", "Chunked"];

function exportProblems(it: JsonObject): Problems {
  const [subject, type, response] = [textOf(it["subject"]), textOf(it["type"]), textOf(it["response_type"])];
  const where = `the export of ${quoted(subject)}`;
  const isService = type === "service";
  const latency = it["service_latency"];
  const results = textOf(objectOf(latency)["results"]);
  const threshold = Number(it["response_threshold"] ?? 0);
  return [
    ...(type === "" ? [always(`${where} has no type`)] : []),
    ...(RESPONSES.includes(response) && (isService || response === "")
      ? []
      : [always(`${where} has the response_type ${quoted(response)}`)]),
    ...(it["allow_trace"] === true && type === "stream" ? [newer(`${where} has allow_trace, but is a stream`)] : []),
    ...(isJsonObject(latency) && !isService ? [always(`${where} has service_latency, but is not a service`)] : []),
    ...(isJsonObject(latency) ? subjectObjections(results, `${where}: the results of service_latency`) : []),
    ...(hasWildcards(results) ? [always(`${where}: the results of service_latency have wildcards`)] : []),
    ...(threshold < 0 || (threshold > 0 && !isService) ? [always(`${where} has a response_threshold`)] : []),
    ...subjectObjections(subject, where),
    ...tokenPositionProblems(subject, Number(it["account_token_position"] ?? 0), where),
    ...infoProblems(it),
  ];
}

function tokenPositionProblems(subject: string, position: number, where: string): Problems {
  if (position === 0 || subject.split(".")[position - 1] === "*") return [];
  return [always(`${where}: account_token_position ${position} is not a * in the subject`)];
}

function overlapsOfExports(exports: readonly JsonObject[]): Problems {
  return exports.flatMap((it, at) => {
    const subject = textOf(it["subject"]);
    const other = exports.find(
      (one, index) => index !== at && one["type"] === it["type"] && isContained(subject, textOf(one["subject"])),
    );
    return other === undefined
      ? []
      : [always(`the export of ${quoted(textOf(other["subject"]))} already exports ${quoted(subject)}`)];
  });
}

/** For these, only -1 is no limit. */
function countProblems(limit: "imports" | "exports", count: number, limits: JsonObject): Problems {
  const most = Number(limits[limit] ?? 0);
  return most === -1 || count <= most
    ? []
    : [always(`there are ${count} ${limit}, but nats.limits.${limit} is ${most}`)];
}

function wildcardProblems(exports: readonly JsonObject[], limits: JsonObject): Problems {
  if (Number(limits["exports"] ?? 0) === -1 || limits["wildcards"] === true) return [];
  const open = exports.map((it) => textOf(it["subject"])).find(hasWildcards);
  return open === undefined
    ? []
    : [always(`the export of ${quoted(open)} has wildcards, but nats.limits.wildcards is not true`)];
}

function permissionProblems(permissions: JsonObject): Problems {
  return (["pub", "sub"] as const).flatMap((way) => {
    const { allow, deny } = objectOf(permissions[way]);
    return [...textsIn(allow), ...textsIn(deny)].flatMap((subject) => {
      const [name = "", queue, ...more] = subject.split(" ");
      const where = `nats.default_permissions.${way}`;
      if (more.length > 0 || (queue !== undefined && way === "pub"))
        return [always(`${where}: ${quoted(subject)} has too many spaces`)];
      return [name, ...(queue === undefined ? [] : [queue])].flatMap((it) => subjectObjections(it, where));
    });
  });
}

function authorizationProblems({ auth_users, allowed_accounts, xkey }: JsonObject): Problems {
  const [users, accounts, key] = [textsIn(auth_users), textsIn(allowed_accounts), textOf(xkey)];
  const wrong = [
    ...users.filter((it) => !isPublicKey(it, "user")),
    ...accounts.filter((it) => (it === "*" ? accounts.length > 1 : !isPublicKey(it, "account"))),
    ...(key === "" || isPublicKey(key, "curve") ? [] : [key]),
  ];
  return [
    ...wrong.map((it) => newer(`nats.authorization: ${quoted(it)} is not a public key of the right kind`)),
    ...(accounts.length > 0 && users.length === 0 ? [newer("nats.authorization has accounts but no users")] : []),
  ];
}

function traceProblems(trace: Json | undefined): Problems {
  if (!isJsonObject(trace)) return [];
  const [dest, sampling] = [textOf(trace["dest"]), Number(trace["sampling"] ?? 0)];
  const problem = subjectProblem(dest) ?? (hasWildcards(dest) ? `${quoted(dest)} has wildcards` : undefined);
  return [
    ...(problem === undefined ? [] : [newer(`nats.trace.dest: ${problem}`)]),
    ...(sampling >= 0 && sampling <= 100 ? [] : [newer(`nats.trace.sampling is ${sampling}, not between 1 and 100`)]),
  ];
}

function signingKeyProblems(keys: Json | undefined): Problems {
  return listOf(keys)
    .filter((key) => key !== null)
    .map((key) => textOf(isJsonObject(key) ? key["key"] : key))
    .filter((key) => !isPublicKey(key, "account"))
    .map((key) => always(`the signing key ${quoted(key)} is not an account's public key`));
}

const LONGEST = 8_192;

function infoProblems(info: JsonObject): Problems {
  const [description, url] = [textOf(info["description"]), textOf(info["info_url"])];
  const isLong = (text: string): boolean => new TextEncoder().encode(text).length > LONGEST;
  return [
    ...(isLong(description) ? [always(`a description is longer than ${LONGEST} bytes`)] : []),
    ...(url === "" || (!isLong(url) && isUrl(url))
      ? []
      : [always(`the info_url ${quoted(url.slice(0, 100))} is not a URL with a host`)]),
  ];
}

const HOST = /(?:\[[^\]]+\]|(?:[^\s/?#@:[\]\\^`{|}%]|%[89a-f][0-9a-f])+)/;
const URL_START = new RegExp(
  `^[a-z][a-z0-9+.-]*://(?:[\\w.~!$&'()*+,;=:%@-]*@)?${HOST.source}(?::\\d*)?(?:[/?#]|$)`,
  "i",
);

/** Whether Go's `url.Parse` accepts it and finds a host. */
function isUrl(url: string): boolean {
  const escaped = url.replace(/\?[^#]*/, "");
  return URL_START.test(url) && !/\p{Cc}/u.test(url) && !/%(?![0-9a-f]{2})/i.test(escaped);
}

function trafficProblems(traffic: string): Problems {
  return ["", "system", "owner"].includes(traffic)
    ? []
    : [newer(`nats.cluster_traffic is ${quoted(traffic)}, not system or owner`)];
}
