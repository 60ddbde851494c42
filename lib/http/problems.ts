import { printableJson } from "../domain/time/printable.ts";
import { redact } from "../domain/time/redact.ts";
import { asRelightError, type ErrorCode } from "../errors.ts";

const STATUS: Partial<Record<ErrorCode, number>> = {
  "webhook.unauthorized": 401,
  "webhook.invalid": 400,
  "webhook.conflict": 409,
  "jwt.malformed": 422,
  "gate.refused": 422,
  "request.unauthorized": 403,
  "request.invalid": 400,
  "request.unknown": 404,
  "request.too_large": 413,
  "request.locked": 429,
  "account.unknown": 404,
};

/** An error as an HTTP answer. The sender learns what to fix; a fault on this side is only named by its code. */
export function problemOf(thrown: unknown): { readonly status: number; readonly body: object } {
  const { code, message, details, retryable } = asRelightError(thrown);
  const status = STATUS[code] ?? (retryable ? 503 : 500);
  return { status, body: { error: status >= 500 ? { code } : { code, message, details } } };
}

export const JSON_TYPE = { "content-type": "application/json" } as const;

/** The text of an answer, without secrets and control characters. */
export const answerText = (body: object): string => printableJson(JSON.stringify(redact(body)));
