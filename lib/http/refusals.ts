import { asRelightError, errorFields } from "../errors.ts";
import type { Log } from "../ports/log.ts";
import type { Caller } from "./access.ts";

/** What is logged of a request: never a header, a query or the body, which hold tokens and signatures. */
export interface LoggedRequest {
  readonly method: string;
  readonly path: string;
  readonly caller: Pick<Caller, "address">;
  /** The person, if it is known who it is. */
  readonly who?: string | undefined;
}

/** Mistakes in the request, which its sender finds in the answer. Other refusals are about who may do what. */
const MISTAKES: readonly number[] = [400, 404, 413];
/** Of a path; characters. */
const LONGEST_PATH = 200;

/** Logs why a request was not carried out. Called once for each, where the answer is made. */
export function logFailure(log: Log, request: LoggedRequest, status: number, thrown: unknown): void {
  const { method, path, caller, who } = request;
  const about = { method, path: path.slice(0, LONGEST_PATH), address: caller.address, ...(who ? { who } : {}) };
  const { code, message } = asRelightError(thrown);
  const line = { ...about, status, code };
  if (status >= 500) log.error("a request failed", { ...about, ...errorFields(thrown) });
  else if (MISTAKES.includes(status)) log.info("a request was refused", line);
  else log.warn("a request was refused", { ...line, why: message });
}
