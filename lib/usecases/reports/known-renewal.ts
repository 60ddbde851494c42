import type { Remediation } from "../remediate/remediation.ts";
import type { ListedSchedule } from "./schedule.ts";

/** Notes the new expiry of an account that was only renewed, so that it need not be asked for again. */
export function isKnownRenewal(listed: ListedSchedule, { outcome, rungs, verdict, pushed }: Remediation): boolean {
  if (outcome !== "renewed" || pushed === undefined || pushed.exp === null) return false;
  const { jti, iss, iat, exp } = pushed;
  return rungs.every(({ rung }) => rung === "renew") && listed.renewed(verdict.account, { jti, iss, iat, exp });
}
