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
  patience: Millis,
): Promise<readonly DomainView[]> {
  return pMap(questions, (question) => askDomain(connection, question, patience), { concurrency: AT_ONCE });
}

async function askDomain(
  connection: NatsConnection,
  { domain, origins }: DomainQuestion,
  patience: Millis,
): Promise<DomainView> {
  const said = await askApi(connection, infoOf(domain), patience);
  if (said.kind !== "answer") return { domain, ...viewOf(said), origins: [] };
  const asked = await pMap(origins, (origin) => askOrigin(connection, domain, origin, patience), {
    concurrency: AT_ONCE,
  });
  return { domain, jetstream: "enabled", origins: asked };
}

function viewOf(said: Exclude<Said, { kind: "answer" }>): Pick<DomainView, "jetstream" | "message"> {
  const { kind, message } = said;
  if (kind === "error") {
    const disabled = said.code !== undefined && NO_JETSTREAM.includes(said.code);
    return { jetstream: disabled ? "disabled" : "silent", message };
  }
  return { jetstream: kind === "silence" ? "silent" : "unknown", message };
}

async function askOrigin(
  connection: NatsConnection,
  domain: string,
  stream: string,
  patience: Millis,
): Promise<AskedOrigin> {
  const said = await askApi(connection, streamInfoOf(domain, stream), patience);
  if (said.kind !== "answer") {
    const gone = said.kind === "error" && said.code === STREAM_NOT_FOUND;
    return { stream, answer: gone ? "not-found" : "failed", message: said.message };
  }
  const { success, data } = streamState.safeParse(said.body["state"]);
  if (!success) return { stream, answer: "failed", message: "its info has no last sequence" };
  const { messages, first_seq: firstSeq, last_seq: lastSeq } = data;
  return { stream, answer: "found", messages, firstSeq, lastSeq };
}

/** The result of an API request: an answer, an error, no answer, or it could not be sent. */
type Said =
  | { readonly kind: "answer"; readonly body: ReturnType<typeof readJson> }
  | { readonly kind: "error"; readonly code: number | undefined; readonly message: string }
  | { readonly kind: "silence" | "unasked"; readonly message: string };

async function askApi(connection: NatsConnection, subject: string, patience: Millis): Promise<Said> {
  try {
    const body = readJson(await ask(connection, subject, "", patience));
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
