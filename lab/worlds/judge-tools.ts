/** What the parts of the judge share. */

/** How one use of an asset went. `partly`: some attempts failed. `untestable`: nothing can be said, and why. */
export interface Observed {
  /** Absent for the account as a whole. */
  readonly stream?: string;
  readonly consumer?: string;
  readonly use: string;
  readonly state: "works" | "fails" | "partly" | "untestable";
  readonly why?: string;
}

export async function comes(isThere: () => Promise<boolean>, within: number): Promise<boolean> {
  const end = performance.now() + within;
  for (;;) {
    if (await isThere().catch(() => false)) return true;
    if (performance.now() >= end) return false;
    await new Promise((done) => setTimeout(done, 200));
  }
}

/** The JetStream error code, which clients keep in different places. */
export function codeOf(error: unknown): number | undefined {
  const { code, api_error, cause } = error as { code?: unknown; api_error?: { err_code?: number }; cause?: unknown };
  if (typeof code === "number") return code;
  if (typeof api_error?.err_code === "number") return api_error.err_code;
  return cause === undefined || cause === error ? undefined : codeOf(cause);
}

export function textOf(error: unknown): string {
  const { name, message } = error as Error;
  const code = codeOf(error);
  return `${name}: ${message}${code === undefined ? "" : ` [${code}]`}`;
}

/** Limits that keep the judge from creating a consumer of its own, which says nothing about what exists. */
const NO_CONSUMER = [10026, 10028, 10002, 10047, 10023];

export const needsConsumer = (error: unknown): boolean => NO_CONSUMER.includes(codeOf(error) ?? 0);
