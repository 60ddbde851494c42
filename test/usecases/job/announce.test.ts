import { describe, expect, test } from "@jest/globals";
import type { AccountId } from "../../../lib/domain/claims/account.ts";
import { RelightError } from "../../../lib/errors.ts";
import type { JobNotice } from "../../../lib/ports/announcer.ts";
import type { Job } from "../../../lib/ports/jobs.ts";
import { announced } from "../../../lib/usecases/job/announce.ts";
import type { Remediation } from "../../../lib/usecases/remediate/remediate.ts";
import { fakeLog } from "../../support/fakes/log.ts";

const account = `A${"A".repeat(55)}` as AccountId;
const job: Job = { account, trigger: "manual", reason: "r", action: "heal", id: "i", correlation: "c" };
const told = { account, action: "heal", trigger: "manual", correlation: "c" };

const ended = (fields: Partial<Remediation>): Remediation =>
  ({
    account,
    outcome: "healthy",
    why: "",
    rungs: [],
    verdict: { verdict: "healthy" },
    ...fields,
  }) as Remediation;

function deps(broken = false) {
  const notices: JobNotice[] = [];
  const log = fakeLog();
  const jobFinished = async (notice: JobNotice): Promise<void> => {
    if (broken) throw new RelightError("events.unavailable", "throttled");
    notices.push(notice);
  };
  return { notices, log, it: { log, announcer: { jobFinished } } };
}

describe("the end of a job", () => {
  const rung = { rung: "finish-toggle", target: account, result: "helped", why: "" } as const;
  test.each<[string, Partial<Remediation>, boolean]>([
    ["that only looked", { outcome: "verified" }, false],
    ["that found nothing to do", {}, false],
    ["that finished what another had begun, and found all well", { rungs: [rung] }, true],
    ["that healed", { outcome: "healed" }, true],
    ["that renewed", { outcome: "renewed" }, true],
    ["that pushed", { outcome: "pushed" }, true],
    ["that refused", { outcome: "refused" }, true],
    ["that had to call a person", { outcome: "escalated" }, true],
  ])("%s: told %j", async (_what, fields, expected) => {
    const { notices, it } = deps();
    const result = ended(fields);
    expect(await announced(it, job, async () => result)).toBe(result);
    const notice = { ...told, outcome: result.outcome, verdict: "healthy" };
    expect(notices).toEqual(expected ? [notice] : []);
  });

  test.each([
    [
      "that a person must mend is told by its code",
      "gate.refused",
      [{ ...told, outcome: "failed", error: "gate.refused" }],
    ],
    ["that another try can mend is no end", "nats.timeout", []],
  ] as const)("an error %s", async (_what, code, expected) => {
    const { notices, it } = deps();
    const work = async () => Promise.reject(new RelightError(code, "no"));
    await expect(announced(it, job, work)).rejects.toMatchObject({ code });
    expect(notices).toEqual(expected);
  });

  test("that can't be told is logged, and the job has ended all the same", async () => {
    const { it, log } = deps(true);
    expect(await announced(it, job, async () => ended({ outcome: "healed" }))).toMatchObject({
      outcome: "healed",
    });
    expect(log.lines).toMatchObject([{ level: "error", data: { error: { code: "events.unavailable" } } }]);
  });

  test("without a bus nobody is told", async () => {
    const it = { log: fakeLog(), announcer: undefined };
    expect(await announced(it, job, async () => ended({ outcome: "healed" }))).toMatchObject({
      outcome: "healed",
    });
  });
});
