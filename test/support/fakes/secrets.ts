import { RelightError } from "../../../lib/errors.ts";
import type { Secrets } from "../../../lib/ports/secrets.ts";

/** Secrets by reference, from a table that a test may change to rotate one. */
export function fakeSecrets(values: Readonly<Record<string, string>>): Secrets {
  const reads = new Map<string, string>();
  return {
    read: async (reference) => {
      const value = reads.get(reference) ?? values[reference];
      if (value === undefined) throw new RelightError("secret.not_found", `${reference} is not there`);
      reads.set(reference, value);
      return value;
    },
  };
}
