import * as z from "zod";
import { isJsonObject } from "../domain/time/json.ts";

/** Types of values that several parts of the configuration share. */

/** `nats-context:PATH` is what a context with a password, a token or a JWT in it becomes. */
const SECRET_FORMS = "file:.+|env:[A-Za-z_][A-Za-z0-9_]*|aws-sm://[^#]+(#.+)?|nats-context:.+";
const referenceOf = (forms: string, written: string) =>
  z.string().regex(new RegExp(`^(${forms})$`), {
    message: `is not a secret reference; write ${written} (never the secret itself)`,
  });

/** A reference to a secret. The secret itself is never in the configuration. */
export const secretReference = referenceOf(SECRET_FORMS, "file:PATH, env:NAME or aws-sm://NAME#FIELD");

/** The operator's key may also be a KMS key, which is never read. */
export const signingReference = referenceOf(
  `${SECRET_FORMS}|aws-kms://[A-Za-z0-9:/_-]+`,
  "file:PATH, env:NAME, aws-sm://NAME#FIELD or aws-kms://KEY",
);

export const httpAddress = z.url({ protocol: /^https?$/, message: "is not an http(s) address" });

/** For `superRefine`: requires exactly one of these keys. With {@link EVEN_IF_FAULTY}, runs even if there are other faults. */
export function exactlyOne(ways: readonly string[]) {
  return (value: object, context: Pick<z.core.$RefinementCtx, "addIssue">): void => {
    const present = ways.filter((way) => (value as Readonly<Record<string, unknown>>)[way] !== undefined);
    if (present.length === 1) return;
    const found = present.length === 0 ? "has none" : `has ${present.join(" and ")}`;
    const message = `needs exactly one of ${ways.join(", ")}; it ${found}`;
    context.addIssue({ code: "custom", message });
  };
}

export const EVEN_IF_FAULTY = { when: ({ value }: { value: unknown }) => isJsonObject(value) };
