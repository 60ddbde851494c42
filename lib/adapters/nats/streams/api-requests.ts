import type { NatsConnection } from "@nats-io/transport-node";
import { isJsonObject, type JsonObject } from "../../../domain/time/json.ts";
import type { Millis } from "../../../domain/time/time.ts";
import { RelightError } from "../../../errors.ts";
import { order, readJson } from "../connection/asking.ts";

/** Requests of JetStream's API as an account, each put once: plain ones, since stream names may hold whatever a server takes. */

/** What became of a request. `silent`: nobody answered in time, so it may have been carried out all the same. */
export type ApiAnswer =
  | { readonly state: "done"; readonly body: JsonObject }
  | { readonly state: "refused"; readonly code: number; readonly reason: string }
  | { readonly state: "silent"; readonly reason: string };

/** @throws RelightError `nats.*` but for a time that ran out. */
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
      return { state: "silent", reason: thrown.message };
    throw thrown;
  }
}
