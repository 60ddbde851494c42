import type { JournalEntry } from "../../domain/journal/journal.ts";
import { unprovedOpenings } from "../../domain/journal/open-remedies.ts";
import { allows } from "../../domain/ladder/mode.ts";
import { enablesJetStream } from "../../domain/limits/jetstream-limits.ts";
import { defined } from "../../domain/time/defined.ts";
import { listed } from "../../domain/time/text.ts";
import { isoTime } from "../../domain/time/time.ts";
import { type Context, type RunningJob, record } from "../context/context.ts";
import { provedBy } from "../journal/proof.ts";
import { memoryOf } from "../journal/remembered.ts";
import type { Look } from "../observe/look.ts";
import { escalateNow, resolveIncidents } from "../paging/escalate.ts";

const CLASS = "journal_unproved";
/** How many entries a page names. */
const MOST_ENTRIES = 5;

/**
 * Pages a person about open remedies in the journal without a valid proof, and does nothing else, because somebody may have
 * forged them. Closes them, so they are reported once, except while the account has no JetStream, because then there may be
 * something to restore. Returns whether it closed any, which invalidates the check.
 */
export async function refuseUnproved(context: Context, job: RunningJob, { claims }: Look): Promise<boolean> {
  const unproved = unprovedOpenings(await memoryOf(context.journal, job.account), provedBy(context));
  if (unproved.length === 0) {
    await resolveIncidents(context, job, (open) => open === CLASS);
    return false;
  }
  await escalateNow(context, job, {
    failureClass: CLASS,
    severity: "critical",
    summary: `not acted on, because nothing proves that Relight wrote it: ${listed(unproved.map(described), MOST_ENTRIES)}`,
    advice: [
      "If Relight was upgraded during a remedy, finish the remedy by hand: the journal entry has the original state.",
      "Otherwise somebody else wrote to the journal: find out who can write to it.",
      ...new Set(unproved.map(adviceFor)),
    ],
    // Without the entry itself, which contains claims and configurations.
    evidence: {
      entries: unproved.map(({ at, job: by, kind, data }) => ({
        at: isoTime(at),
        job: by,
        kind,
        ...defined({ stream: data["stream"] }),
      })),
    },
    about: unproved.map(({ at, job: by, kind }) => `${kind} ${by} ${at}`).join(" "),
  });
  if (!allows(context.mode.mode, "heal")) return false;
  const hasJetStream = claims !== undefined && enablesJetStream(claims.claims);
  const closed = unproved.filter(({ kind }) => kind !== "toggle.opened" || hasJetStream);
  for (const { kind, data } of closed) {
    const { stream } = data;
    const end = kind === "toggle.opened" ? "toggle.closed" : "reconfigure.closed";
    await record(context, job, end, { refused: "not proved", ...defined({ stream }) });
  }
  return closed.length > 0;
}

const described = ({ kind, at, data }: JournalEntry): string =>
  `${kind}${typeof data["stream"] === "string" ? ` of stream ${data["stream"]}` : ""} at ${isoTime(at)}`;

function adviceFor({ kind, data }: JournalEntry): string {
  if (kind === "toggle.opened")
    return "If the account has no JetStream, push its JWT from the source of truth: `relight push FILE`.";
  return `Compare the configuration of stream ${String(data["stream"])} with what it should be: \`nats stream info\`.`;
}
