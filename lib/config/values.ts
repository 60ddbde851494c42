import * as z from "zod";
import { isJsonObject } from "../domain/time/json.ts";

/** Kinds of values that several parts of the configuration have. */

const SECRET_FORMS = "file:.+|env:[A-Za-z_][A-Za-z0-9_]*|aws-sm://[^#]+(#.+)?";
const referenceOf = (forms: string, written: string) =>
  z.string().regex(new RegExp(`^(${forms})$`), {
    message: `is not a secret reference; write ${written} (never the secret itself)`,
  });

/** A secret by reference; the secret itself never stands in a configuration. */
export const secretReference = referenceOf(SECRET_FORMS, "file:PATH, env:NAME or aws-sm://NAME#FIELD");

/** The operator's key may also be one that signs where it is kept, and is never read. */
export const signingReference = referenceOf(
  `${SECRET_FORMS}|aws-kms://[A-Za-z0-9:/_-]+`,
  "file:PATH, env:NAME, aws-sm://NAME#FIELD or aws-kms://KEY",
);

export const httpAddress = z.url({ protocol: /^https?$/, message: "is not an http(s) address" });

/** For `superRefine`: exactly one of these keys is there. Found beside other faults with {@link EVEN_IF_FAULTY}. */
export function exactlyOne(ways: readonly string[]) {
  return (value: object, context: Pick<z.core.$RefinementCtx, "addIssue">): void => {
    const present = ways.filter((way) => (value as Readonly<Record<string, unknown>>)[way] !== undefined);
    if (present.length === 1) return;
    const found = present.length === 0 ? "none is" : `${present.join(" and ")} are`;
    const message = `needs exactly one of ${ways.join(", ")}; ${found} there`;
    context.addIssue({ code: "custom", message });
  };
}

export const EVEN_IF_FAULTY = { when: ({ value }: { value: unknown }) => isJsonObject(value) };
