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

/** Pushes a JWT that was made elsewhere; what came before, or comes again, is no fault of its issuer's. */
export async function pushDelivered(
  context: Context,
  job: RunningJob,
  { token, trigger, acceptedOver, allowed = [] }: NewJob,
  seen: Look,
): Promise<Done> {
  if (token === undefined) throw new RelightError("usage", "there is no JWT to push");
  const current = seen.known.comparable;
  // A message that comes again is no fault of the issuer's; a person at the console is told.
  const { document, signatureValid } = context.codec.decode(token);
  const isInForce = signatureValid && document.text === seen.claims?.text;
  if (trigger === "webhook" && isInForce)
    return { ...lookOnly("pushed", seen), why: "it is in force already" };
  const isLate = signatureValid && seen.claims !== undefined && isOvertaken(document, seen.claims);
  if (trigger === "webhook" && isLate)
    return { ...lookOnly("pushed", seen), why: "a later renewal is in force" };
  const skew = skewOf(seen.observation.servers);
  // Accepted were the differences from one JWT; if another is in force by now, nobody has seen these.
  const isAccepted = acceptedOver !== undefined && current?.claims.jti === acceptedOver;
  const allowance = isAccepted ? "claims" : "nothing";
  const purpose = isAccepted ? "delivered, changes accepted" : "delivered";
  return tried(context.mode, `push ${document.claims.jti}`, lookOnly("looked", seen), async () => {
    const use = seen.observation.streams;
    const proved = await push(context, job, { token, current, allowance, purpose, skew, use, allowed });
    return lookOnly("pushed", await verify(context, job), proved);
  });
}
