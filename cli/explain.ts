import { closeSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";
import { type Explained, type Explanation, explain as explainLines } from "../lib/domain/advice/log-lines/explain.ts";
import type { Worry } from "../lib/domain/advice/log-lines/explain-kind.ts";
import { counted } from "../lib/domain/time/text.ts";
import { EXIT, RelightError } from "../lib/errors.ts";
import { expandHome } from "../lib/files/paths.ts";
import { chunksOf, openText } from "../lib/files/read-text.ts";
import { colors } from "./colors.ts";
import { explainCode, hintForCode } from "./explain-code.ts";
import { PAINT } from "./levels.ts";
import type { CommandResult } from "./session.ts";

/** Of what is not explained so many kinds are shown; all are counted. */
const SHOWN = 10;

/**
 * `relight explain [CODE or FILE]`: what a code of Relight means, or the lines of a nats-server's log (`-` or nothing
 * reads standard input). A known code is a code even if a file has its name.
 */
export function explain(what = "-"): CommandResult {
  return explainCode(what) ?? explainLog(what);
}

function explainLog(file: string): CommandResult {
  const explanation = explainLines(linesOf(file));
  return { json: toJson(explanation), lines: () => render(explanation), exit: EXIT_OF[explanation.worry] };
}

const EXIT_OF = { none: EXIT.ok, look: EXIT.warning, act: EXIT.critical } as const satisfies Record<Worry, number>;

/** Of a longer line the rest is skipped. nats-server's own are far shorter; characters. */
const LONGEST_LINE = 4_096;
/** A log must end. Bytes. */
const LARGEST_LOG = 1024 ** 3;

/** The lines of a file or of standard input, one at a time. @throws RelightError `usage` */
function* linesOf(file: string): Iterable<string> {
  const what = file === "-" ? "the log on standard input" : `the log ${file}`;
  try {
    const descriptor = file === "-" ? 0 : openText(expandHome(file));
    try {
      yield* splitLines(chunksOf(descriptor), what);
    } finally {
      if (descriptor !== 0) closeSync(descriptor);
    }
  } catch (cause) {
    if (cause instanceof RelightError) throw cause;
    throw new RelightError("usage", `${what} ${(cause as Error).message}${hintForCode(file)}`, { cause });
  }
}

function* splitLines(chunks: Iterable<Buffer>, what: string): Iterable<string> {
  const decoder = new StringDecoder("utf8");
  let line = "";
  let size = 0;
  for (const chunk of chunks) {
    size += chunk.length;
    if (size > LARGEST_LOG) throw new RelightError("usage", `${what} has more than 1 GiB; explain a part of it`);
    const [first = "", ...others] = decoder.write(chunk).split(/\r?\n/);
    line = (line + first).slice(0, LONGEST_LINE);
    for (const next of others) {
      yield line;
      line = next.slice(0, LONGEST_LINE);
    }
  }
  yield line;
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
