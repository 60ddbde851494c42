import { readFileSync } from "node:fs";
import colors from "picocolors";
import { type Explained, type Explanation, explain } from "../lib/domain/advice/log-lines/explain.ts";
import type { Worry } from "../lib/domain/advice/log-lines/explain-kind.ts";
import { EXIT, RelightError } from "../lib/errors.ts";
import { redactText } from "../lib/log.ts";
import { PAINT } from "./levels.ts";
import type { CommandResult } from "./session.ts";

/** Of what is not explained so many kinds are shown; all are counted. */
const SHOWN = 10;

/** `relight explain [FILE]`: what the lines of a nats-server's log mean (`-` or nothing reads standard input). */
export function explainLog(file = "-"): CommandResult {
  const explanation = explain(readLog(file).split(/\r?\n/));
  return { json: toJson(explanation), text: render(explanation), exit: EXIT_OF[explanation.worry] };
}

const EXIT_OF = { none: EXIT.ok, look: EXIT.warning, act: EXIT.critical } as const satisfies Record<Worry, number>;

function readLog(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (cause) {
    throw new RelightError("usage", `cannot read the log ${file === "-" ? "on standard input" : file}`, {
      cause,
    });
  }
}

function toJson({ lines, worry, explained, unexplained }: Explanation): object {
  return {
    lines,
    worry,
    explained: explained.map(({ kind, count, example, accounts }) => ({
      id: kind.id,
      worry: kind.worry,
      count,
      title: kind.title,
      meaning: kind.meaning,
      advice: kind.advice,
      example: redactText(example),
      accounts: Object.fromEntries(accounts),
      versions: kind.versions,
    })),
    unexplained: {
      lines: unexplained.lines,
      groups: unexplained.groups.map((group) => ({ ...group, example: redactText(group.example) })),
    },
  };
}

const MARK: Record<Worry, string> = { act: "act", look: "look", none: "fine" };

function render({ lines, explained, unexplained }: Explanation): string {
  const shown = unexplained.groups.slice(0, SHOWN).map(({ count, example }) => `  ${count}× ${example}`);
  const hidden = unexplained.groups.length - shown.length;
  const rest = hidden > 0 ? [`  and ${hidden} other kinds (--json lists all)`] : [];
  const recognised = lines - unexplained.lines;
  return [
    ...explained.map(renderExplained),
    `${lines} lines: ${recognised} explained, ${unexplained.lines} not`,
    ...shown,
    ...rest,
  ].join("\n");
}

function renderExplained({ kind, count, example, accounts }: Explained): string {
  const { worry, title, meaning, advice, id } = kind;
  const named = [...accounts].map(([account, times]) => `${account} (${times})`).join(", ");
  return [
    `${PAINT[EXIT_OF[worry]](MARK[worry])}: ${title}, ${count}× ${colors.dim(id)}`,
    ...(named === "" ? [] : [`  in:      ${named}`]),
    `  means:   ${meaning}`,
    `  advice:  ${advice}`,
    `  example: ${example.trim()}`,
  ].join("\n");
}
