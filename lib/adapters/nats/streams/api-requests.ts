import type { NatsConnection } from "@nats-io/transport-node";
import { isJsonObject, type JsonObject } from "../../../domain/time/json.ts";
import type { Millis } from "../../../domain/time/time.ts";
import { RelightError } from "../../../errors.ts";
import { isNoResponders, order, readJson } from "../connection/asking.ts";

/** Requests to JetStream's API as an account, each sent once. Plain requests, because the client refuses some valid stream names. */

/**
 * The result of a request. `silent`: there was no answer in time, but it may have been carried out; unless nothing listens
 * (`unheard`).
 */
export type ApiAnswer =
  | { readonly state: "done"; readonly body: JsonObject }
  | { readonly state: "refused"; readonly code: number; readonly reason: string }
  | { readonly state: "silent"; readonly reason: string; readonly unheard: boolean };

/** @throws RelightError `nats.*`, except for a timeout */
export async function requestApi(
  connection: NatsConnection,
  subject: string,
  body: string,
  timeout: Millis,
): Promise<ApiAnswer> {
  try {
    const answer = readJson(await order(connection, subject, body, timeout));
    const { error } = answer;
    if (!isJsonObject(error)) return { state: "done", body: answer };
    return { state: "refused", code: Number(error["err_code"]), reason: String(error["description"]) };
  } catch (thrown) {
    if (thrown instanceof RelightError && thrown.code === "nats.timeout")
      return { state: "silent", reason: thrown.message, unheard: isNoResponders(thrown) };
    throw thrown;
  }
}
