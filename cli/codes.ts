import { LOG_KINDS } from "../lib/domain/advice/log-lines/explain.ts";
import { CONFIG_FINDINGS } from "../lib/domain/advice/server-config/leaf-config-findings.ts";
import { CHECKS, type CheckKind } from "../lib/domain/doctor/check-codes.ts";
import { REFUSALS } from "../lib/domain/gate/gate.ts";
import { CLASS_TEXTS } from "../lib/domain/incidents/classes.ts";
import { LADDER } from "../lib/domain/ladder/rungs.ts";
import { FINDINGS, WARNINGS } from "../lib/domain/verdict/verdict.ts";
import { ERRORS } from "../lib/errors.ts";

/** Everything that Relight calls by a code, with the texts from where each has its own. */
export interface CodeText {
  readonly code: string;
  /** What kind of code it is: `error`, `finding`, … */
  readonly kind: string;
  /** What it means, what to do, and the like, in the order in which people read it. */
  readonly parts: readonly (readonly [title: string, text: string])[];
  /** The page that tells more. */
  readonly see: string;
}

const LOOK = "relight verify ACCOUNT shows the evidence, and relight plan ACCOUNT what Relight would do.";
const NOT_PUSHED = "The JWT is not pushed. relight diff ACCOUNT shows what the servers run.";

const entries = <T>(table: Readonly<Record<string, T>>, toText: (code: string, entry: T) => Omit<CodeText, "code">) =>
  Object.entries(table).map(([code, entry]) => ({ code, ...toText(code, entry) }));

export const CODES: readonly CodeText[] = [
  ...entries(ERRORS, (_code, { advice, exit, retryable }) => ({
    kind: "error",
    parts: [
      ["advice", advice],
      ["again?", retryable ? "trying again can help" : "trying again without a change does not help"],
      ["exits", `with ${exit}`],
    ],
    see: "docs/reference.md#errors",
  })),
  ...entries(FINDINGS, (_code, meaning) => ({
    kind: "finding",
    parts: [
      ["means", meaning],
      ["advice", LOOK],
    ],
    see: "docs/reference.md#verdict",
  })),
  ...entries(WARNINGS, (_code, meaning) => ({
    kind: "warning",
    parts: [
      ["means", meaning],
      ["advice", `It does not change the verdict. ${LOOK}`],
    ],
    see: "docs/reference.md#verdict",
  })),
  ...entries<CheckKind>(CHECKS, (_code, { severity, means, advice }) => ({
    kind: `check of doctor, ${severity}`,
    parts: [
      ["means", means],
      ["advice", advice],
    ],
    see: "docs/doctor.md#all-checks",
  })),
  ...entries(REFUSALS, (_code, meaning) => ({
    kind: "refusal of claims",
    parts: [
      ["means", meaning],
      ["advice", `${ERRORS["gate.refused"].advice} ${NOT_PUSHED}`],
    ],
    see: "docs/reference.md#the-push-gate",
  })),
  ...LADDER.map(({ id, title, risk, undo }) => ({
    code: id,
    kind: "rung: a remedy",
    parts: [
      ["does", title],
      ["risk", risk],
      ["undo", undo],
    ] as const,
    see: "docs/reference.md#the-ladder",
  })),
  ...entries(CLASS_TEXTS, (code, { title, impact, end }) => ({
    kind: "class of a page",
    parts: [
      ["means", title],
      ["users", impact],
      ["ends", end],
    ],
    see: `docs/runbook.md#${code}`,
  })),
  ...entries(CONFIG_FINDINGS, (_code, { severity, meaning, likely, advice }) => ({
    kind: `${severity} of check-config`,
    parts: [
      ["means", meaning],
      ["likely", likely],
      ["advice", advice],
    ],
    see: "docs/reference.md#checking-nats-server-configurations",
  })),
  ...LOG_KINDS.map(({ id, title, meaning, advice, versions }) => ({
    code: id,
    kind: "log line of nats-server",
    parts: [
      ["line", title],
      ["means", meaning],
      ["advice", advice],
      ["in", versions.join(", ")],
    ] as const,
    see: "docs/reference.md#explaining-a-log",
  })),
];

/** A code may be of several kinds. */
export const explanationsOf = (code: string): readonly CodeText[] => CODES.filter((one) => one.code === code);
