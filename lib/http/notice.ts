import { createHash } from "node:crypto";
import * as z from "zod";
import type { AccountId } from "../domain/claims/account.ts";
import { isPublicKey } from "../domain/claims/nkey.ts";
import { defined } from "../domain/time/defined.ts";
import { parseJson } from "../domain/time/json.ts";
import type { Acceptance, Delivery } from "../usecases/orders/accept-delivery.ts";
import { valid, words } from "./requests.ts";

/** More than servers take. */
const LONGEST_JWT = 1_048_576;
/** A notice with such a JWT, and room for what else the issuer writes; bytes. */
export const LONGEST_NOTICE = LONGEST_JWT + 65_536;

const webhookId = words(1, 256);

/** Standard Webhooks' body; unknown fields are the issuer's own business. */
const notice = z.looseObject({
  type: words(1, 128),
  data: z.looseObject({
    account: z.custom<AccountId>((text) => typeof text === "string" && isPublicKey(text, "account"), {
      message: "is not an account's public key",
    }),
    jwt: z.string().max(LONGEST_JWT).optional(),
  }),
});

interface Receiver {
  authenticate(request: SignedRequest): Promise<string>;
  accept(delivery: Delivery): Promise<Acceptance>;
}

/** The body as it was sent, and the headers by names in lower case. */
export interface SignedRequest {
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

/**
 * The issuer's webhook → a job. The status is 202 if it was queued or coalesced, 200 if it is a repetition.
 * @throws RelightError `webhook.*`, and what {@link Receiver} throws
 */
export async function receiveNotice(app: Receiver, request: SignedRequest): Promise<readonly [number, Acceptance]> {
  const id = valid(webhookId, await app.authenticate(request), "webhook-id is invalid", "webhook.invalid");
  const { type, data } = readNotice(request.body);
  const token = defined({ token: data.jwt });
  const digest = createHash("sha256").update(request.body).digest("hex");
  const accepted = await app.accept({ id, digest, account: data.account, reason: `webhook ${type}`, ...token });
  return [accepted.outcome === "repeated" ? 200 : 202, accepted];
}

function readNotice(body: string): z.infer<typeof notice> {
  return valid(z.string().transform(parseJson).pipe(notice), body, "the body is not a notice", "webhook.invalid");
}
