import type { NatsConnection } from "@nats-io/transport-node";
import pMap from "p-map";
import type { DomainQuestion } from "../../../domain/observation/domains.ts";
import type { AskedOrigin, DomainView } from "../../../domain/observation/observation.ts";
import { isJsonObject } from "../../../domain/time/json.ts";
import type { Millis } from "../../../domain/time/time.ts";
import { asRelightError } from "../../../errors.ts";
import { fitsOneUser } from "../account/shares.ts";
import { streamState } from "../connection/answers.ts";
import { ask, readJson } from "../connection/asking.ts";
import { AT_ONCE } from "../connection/in-flight.ts";
import { ACCOUNT_NOT_FOUND, NOT_ENABLED, STREAM_NOT_FOUND } from "./api-codes.ts";

const NO_JETSTREAM: readonly unknown[] = [ACCOUNT_NOT_FOUND, NOT_ENABLED];

const infoOf = (domain: string): string => `$JS.${domain}.API.INFO`;
const streamInfoOf = (domain: string, stream: string): string => `$JS.${domain}.API.STREAM.INFO.${stream}`;

/** The permissions that a user needs for {@link askDomains}; wildcards if there are too many subjects. */
export function subjectsFor(questions: readonly DomainQuestion[]): readonly string[] {
  const subjects = questions.flatMap(({ domain, origins }) => [
    infoOf(domain),
    ...origins.map((origin) => streamInfoOf(domain, origin)),
  ]);
  if (fitsOneUser(subjects)) return subjects;
  return questions.flatMap(({ domain }) => [infoOf(domain), streamInfoOf(domain, "*")]);
}

/** Asks the domains as the account. A domain that does not answer is part of the result. */
export async function askDomains(
  connection: NatsConnection,
  questions: readonly DomainQuestion[],
  bound: Millis,
): Promise<readonly DomainView[]> {
  return pMap(questions, (question) => askDomain(connection, question, bound), { concurrency: AT_ONCE });
}

async function askDomain(
  connection: NatsConnection,
  { domain, origins }: DomainQuestion,
  bound: Millis,
): Promise<DomainView> {
  const result = await askApi(connection, infoOf(domain), bound);
  if (result.kind !== "answer") return { domain, ...viewOf(result), origins: [] };
  const asked = await pMap(origins, (origin) => askOrigin(connection, domain, origin, bound), {
    concurrency: AT_ONCE,
  });
  return { domain, jetstream: "enabled", origins: asked };
}

function viewOf(result: Exclude<ApiResult, { kind: "answer" }>): Pick<DomainView, "jetstream" | "message"> {
  const { kind, message } = result;
  if (kind === "error") {
    const disabled = result.code !== undefined && NO_JETSTREAM.includes(result.code);
    return { jetstream: disabled ? "disabled" : "silent", message };
  }
  return { jetstream: kind === "silence" ? "silent" : "unknown", message };
}

async function askOrigin(
  connection: NatsConnection,
  domain: string,
  stream: string,
  bound: Millis,
): Promise<AskedOrigin> {
  const result = await askApi(connection, streamInfoOf(domain, stream), bound);
  if (result.kind !== "answer") {
    const gone = result.kind === "error" && result.code === STREAM_NOT_FOUND;
    return { stream, answer: gone ? "not-found" : "failed", message: result.message };
  }
  const { success, data } = streamState.safeParse(result.body["state"]);
  if (!success) return { stream, answer: "failed", message: "its info has no last sequence" };
  const { messages, first_seq: firstSeq, last_seq: lastSeq } = data;
  return { stream, answer: "found", messages, firstSeq, lastSeq };
}

/** The result of an API request: an answer, an error, no answer, or it could not be sent. */
type ApiResult =
  | { readonly kind: "answer"; readonly body: ReturnType<typeof readJson> }
  | { readonly kind: "error"; readonly code: number | undefined; readonly message: string }
  | { readonly kind: "silence" | "unasked"; readonly message: string };

async function askApi(connection: NatsConnection, subject: string, bound: Millis): Promise<ApiResult> {
  try {
    const body = readJson(await ask(connection, subject, "", bound));
    const { error } = body;
    if (!isJsonObject(error)) return { kind: "answer", body };
    const code = typeof error["err_code"] === "number" ? error["err_code"] : undefined;
    return { kind: "error", code, message: String(error["description"]) };
  } catch (thrown) {
    const error = asRelightError(thrown);
    if (error.code === "nats.connection_lost" || error.code === "internal") throw thrown;
    return { kind: error.code === "nats.timeout" ? "silence" : "unasked", message: error.message };
  }
}
