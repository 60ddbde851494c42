import type { Msg } from "@nats-io/transport-node";
import * as z from "zod";
import { isAccountId } from "../../../domain/claims/account.ts";
import { readPayload } from "../../../domain/claims/jwt-text.ts";
import { defined } from "../../../domain/time/defined.ts";
import type { ClusterEvent } from "../../../domain/watch/watch.ts";
import { asRelightError } from "../../../errors.ts";
import type { JwtCodec } from "../../../ports/keys.ts";
import { read } from "../connection/answers.ts";
import { readJson } from "../connection/asking.ts";
import { decodeDeletion } from "../jwt/jwt-codec.ts";

/** Converts the servers' messages to events. Returns undefined for messages that are not events. */

const client = z.looseObject({ acc: z.string(), user: z.string().default(""), jwt: z.string().optional() });
const server = z.looseObject({ id: z.string(), name: z.string() });
const disconnect = z.looseObject({ client, server, reason: z.string() });
const advisory = z.looseObject({
  account: z.string().optional(),
  stream: z.string().optional(),
  consumer: z.string().optional(),
  leader: z.string().default("nobody"),
});
/** A user JWT, without verifying its signature, because nothing here relies on it. */
const userClaims = z.looseObject({
  iss: z.string().optional(),
  name: z.string().optional(),
  nats: z.looseObject({ issuer_account: z.string().optional() }).optional(),
});

/** The server's reason for an account's and for a user's expiry. */
const EXPIRED = "Authentication Expired";

export function readPush(message: Msg, codec: JwtCodec): ClusterEvent {
  try {
    const { sub: account, jti } = codec.decode(message.string()).document.claims;
    return { kind: "claims-pushed", account, jti };
  } catch (thrown) {
    return { kind: "push-unreadable", problem: asRelightError(thrown).message };
  }
}

/** One event for each account that the request names. */
export function readDeletion(message: Msg): readonly ClusterEvent[] {
  const { accounts, ...order } = decodeDeletion(message.string());
  return accounts.filter(isAccountId).map((account) => ({ kind: "deletion-ordered", account, ...order }));
}

export function readDisconnect(message: Msg): ClusterEvent | undefined {
  const { client: who, reason } = read(disconnect, readJson(message), "DISCONNECT");
  if (reason !== EXPIRED || !isAccountId(who.acc)) return undefined;
  const { name } = userOf(who.jwt);
  const named = defined({ userName: name });
  return { kind: "client-expired", account: who.acc, user: who.user, ...named };
}

/** The server reports a refused client under `$G`; only the client's JWT names its account. */
export function readRefusal(message: Msg): ClusterEvent {
  const { client: who, server: where } = read(disconnect, readJson(message), "AUTH.ERR");
  const { iss, nats } = userOf(who.jwt);
  const account = nats?.issuer_account ?? iss ?? "";
  return { kind: "auth-failed", server: where.name, ...(isAccountId(account) ? { account } : {}) };
}

export function readAdvisory(message: Msg): ClusterEvent | undefined {
  const { account, stream, consumer, leader } = read(advisory, readJson(message), "advisory");
  if (message.subject.includes(".DOMAIN.")) return { kind: "meta-leader-elected", leader };
  if (account === undefined || !isAccountId(account)) return undefined;
  const asset = consumer === undefined ? `stream ${stream}` : `consumer ${stream} > ${consumer}`;
  return { kind: message.subject.includes("QUORUM_LOST") ? "quorum-lost" : "leader-elected", account, asset };
}

/** The server that sent `$SYS.SERVER.<id>.…`. */
export function readServer(message: Msg): { readonly id: string; readonly name: string } {
  const id = message.subject.split(".")[2] ?? "";
  const parsed = z.looseObject({ server }).safeParse(message.data.length > 0 ? readJson(message) : {});
  return { id, name: parsed.success ? parsed.data.server.name : id };
}

function userOf(jwt: string | undefined): z.infer<typeof userClaims> {
  // Refused clients may send anything.
  const parsed = userClaims.safeParse(readPayload(jwt ?? ""));
  return parsed.success ? parsed.data : {};
}
