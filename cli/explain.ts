import { type Explained, type Explanation, LogReader } from "../lib/domain/advice/log-lines/explain.ts";
import type { Worry } from "../lib/domain/advice/log-lines/explain-kind.ts";
import { counted } from "../lib/domain/time/text.ts";
import { EXIT, RelightError } from "../lib/errors.ts";
import { findFiles } from "../lib/files/find-files.ts";
import { eachLine } from "../lib/files/read-lines.ts";
import { colors } from "./colors.ts";
import { explainCode, hintForCode } from "./explain-code.ts";
import { PAINT } from "./levels.ts";
import type { CommandResult } from "./session.ts";

/** Of what is not explained so many kinds are shown; all are counted. */
const SHOWN = 10;

/**
 * `relight explain [CODE or FILES]`: what a code of Relight means, or the lines of nats-servers' logs (`-` or nothing
 * reads standard input). A known code is a code even if a file has its name.
 */
export async function explain(what: readonly string[]): Promise<CommandResult> {
  const [only = "-", ...others] = what;
  return (others.length === 0 ? explainCode(only) : undefined) ?? (await explainLogs(what.length === 0 ? ["-"] : what));
}

/** What logs are called in folders, rotated and packed ones, too. */
const LOG_NAMES = /\.log(?:[.-][\w.-]+)?$|\.gz$/i;

async function explainLogs(names: readonly string[]): Promise<CommandResult> {
  const reader = new LogReader();
  for (const name of names) await readLogs(name, reader);
  const explanation = reader.explanation();
  return { json: toJson(explanation), lines: () => render(explanation), exit: EXIT_OF[explanation.worry] };
}

const EXIT_OF = { none: EXIT.ok, look: EXIT.warning, act: EXIT.critical } as const satisfies Record<Worry, number>;

/** @throws RelightError `usage` */
async function readLogs(name: string, reader: LogReader): Promise<void> {
  let path = name;
  try {
    const files = findFiles([name], LOG_NAMES);
    if (files.length === 0) throw new Error("holds no file that is called like a log (*.log, *.log.1, *.gz)");
    for (const file of files) {
      path = file.path;
      await eachLine(path, (line) => reader.add(line));
    }
  } catch (cause) {
    const what = path === "-" ? "the log on standard input" : `the log ${path}`;
    throw new RelightError("usage", `${what} ${(cause as Error).message}${hintForCode(name)}`, { cause });
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
      example,
      accounts: Object.fromEntries(accounts),
      versions: kind.versions,
    })),
    unexplained: {
      lines: unexplained.lines,
      groups: unexplained.groups,
    },
  };
}

const MARK: Record<Worry, string> = { act: "act", look: "look", none: "fine" };

function render({ lines, explained, unexplained }: Explanation): string[] {
  const shown = unexplained.groups.slice(0, SHOWN).map(({ count, example }) => `  ${count}× ${example}`);
  const hidden = unexplained.groups.length - shown.length;
  const rest = hidden > 0 ? [`  and ${hidden} other kinds (--json lists all)`] : [];
  const recognised = lines - unexplained.lines;
  return [
    ...explained.flatMap(renderExplained),
    `${counted(lines, "line")}: ${recognised} explained, ${unexplained.lines} not`,
    ...shown,
    ...rest,
  ];
}

function renderExplained({ kind, count, example, accounts }: Explained): string[] {
  const { worry, title, meaning, advice, id } = kind;
  const named = [...accounts].map(([account, times]) => `${account} (${times})`).join(", ");
  return [
    `${PAINT[EXIT_OF[worry]](MARK[worry])}: ${title}, ${count}× ${colors.dim(id)}`,
    ...(named === "" ? [] : [`  in:      ${named}`]),
    `  means:   ${meaning}`,
    `  advice:  ${advice}`,
    `  example: ${example.trim()}`,
  ];
}
