import { isOvertaken } from "../../domain/gate/gate.ts";
import { skewOf } from "../../domain/observation/clocks.ts";
import { RelightError } from "../../errors.ts";
import type { NewJob } from "../../ports/jobs.ts";
import type { Context, RunningJob } from "../context/context.ts";
import { tried } from "../context/mode.ts";
import type { Look } from "../observe/look.ts";
import { verify } from "../observe/verify.ts";
import { push } from "../push/push.ts";
import { type Done, lookOnly } from "./remediation.ts";

/** Pushes a JWT issued elsewhere. A repeated or overtaken one is not an error. */
export async function pushDelivered(
  context: Context,
  job: RunningJob,
  { token, trigger, acceptedOver, allowed = [] }: NewJob,
  seen: Look,
): Promise<Done> {
  if (token === undefined) throw new RelightError("usage", "there is no JWT to push");
  const current = seen.known.comparable;
  // A repeated message is not the issuer's fault; a person at the command line gets the refusal.
  const { document, signatureValid } = context.codec.decode(token);
  const isInForce = signatureValid && document.text === seen.claims?.text;
  if (trigger === "webhook" && isInForce) return { ...lookOnly("pushed", seen), why: "it is already in force" };
  const isLate = signatureValid && seen.claims !== undefined && isOvertaken(document, seen.claims);
  if (trigger === "webhook" && isLate) return { ...lookOnly("pushed", seen), why: "a later renewal is in force" };
  const skew = skewOf(seen.observation.servers);
  // The person accepted the differences from one JWT; if another is in force by now, nobody reviewed them.
  const isAccepted = acceptedOver !== undefined && current?.claims.jti === acceptedOver;
  const allowance = isAccepted ? "claims" : "nothing";
  const purpose = isAccepted ? "delivered, changes accepted" : "delivered";
  return tried(context.mode, `push ${document.claims.jti}`, lookOnly("looked", seen), async () => {
    const use = seen.observation.streams;
    const proved = await push(context, job, { token, current, allowance, purpose, skew, use, allowed });
    return lookOnly("pushed", await verify(context, job), proved);
  });
}
