import type { AccountId } from "../../domain/claims/account.ts";
import type { Context } from "../context/context.ts";

/** What escalation needs: less than a whole context, because it must also page if the cluster is unreachable. */
export type EscalateDependencies = Pick<
  Context,
  | "clock"
  | "journal"
  | "escalation"
  | "log"
  | "operator"
  | "settingsOf"
  | "installation"
  | "correlation"
  | "mode"
  | "unknownAfter"
  | "draft"
>;

/** The affected account, and the job that noticed the failure. */
export interface Occasion {
  readonly id: string;
  readonly account: AccountId | "-";
}

/** Without a job, for instance for a failed sweep, the page has its own id. */
export const correlationOf = ({ correlation }: EscalateDependencies, { id }: Occasion): string => correlation ?? id;
