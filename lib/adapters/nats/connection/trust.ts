import type { NatsConnection } from "@nats-io/transport-node";
import pMap from "p-map";
import type { ServerTrust } from "../../../domain/keys/key-rotation.ts";
import type { Millis } from "../../../domain/time/time.ts";
import { parseOperator } from "../jwt/jwt-codec.ts";
import { readData, type ServerInfo, varz } from "./answers.ts";
import { ask, readJson } from "./asking.ts";
import { AT_ONCE } from "./in-flight.ts";

/**
 * The operators that each server trusts, from VARZ, which contains their JWTs (2.9.10, 2.10.27 and 2.15.1). They are those
 * from the server's start, because no reload changes them.
 */
export function serversTrust(
  connection: NatsConnection,
  timeout: Millis,
  servers: readonly ServerInfo[],
): Promise<readonly ServerTrust[]> {
  const trustOf = async ({ id, name }: ServerInfo): Promise<ServerTrust> => {
    const answer = await ask(connection, `$SYS.REQ.SERVER.${id}.VARZ`, "", timeout);
    const { trusted_operators_jwt: tokens } = readData(varz, readJson(answer), "VARZ");
    return { server: name, operators: (tokens ?? []).map(parseOperator) };
  };
  return pMap(servers, trustOf, { concurrency: AT_ONCE });
}
