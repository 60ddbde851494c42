import * as z from "zod";
import { parseJson } from "../domain/time/json.ts";
import { isPrintable } from "../domain/time/printable.ts";
import { type ErrorCode, RelightError } from "../errors.ts";

/** Text on one line, without characters that a terminal would obey. */
export const words = (least: number, most: number) =>
  z.string().min(least).max(most).refine(isPrintable, { message: "has control characters" });

/** Of an id or a name. */
const LONGEST_NAME = 256;

/** A decoded part of the path. @throws RelightError `request.invalid` */
export const readName = (text: string | undefined, name: string): string =>
  valid(words(0, LONGEST_NAME), text ?? "", `the path's ${name} is invalid`);

const order = z.strictObject({
  action: z.enum(["verify", "renew", "heal", "remediate"]),
  /** Why; it goes into the journal. */
  reason: words(3, 500).refine((text) => text.trim().length >= 3, { message: "is empty" }),
});

/** @throws RelightError `request.invalid`; it never quotes the body. */
export const readOrder = (body: string): z.infer<typeof order> => valid(order, parseJson(body), "the body is no order");

const page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  /** The last account of the page before. */
  after: words(1, LONGEST_NAME).optional(),
});

/** @throws RelightError `request.invalid` */
export const readPage = (query: Readonly<Record<string, unknown>>): z.infer<typeof page> =>
  valid(page, query, "the query is no page");

/** @throws RelightError with `code`; it never quotes the value. */
export function valid<T>(schema: z.ZodType<T>, value: unknown, what: string, code: ErrorCode = "request.invalid"): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new RelightError(code, `${what}: ${z.prettifyError(parsed.error)}`);
}
