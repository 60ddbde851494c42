import { join } from "node:path";
import { mostSimilar } from "../lib/domain/time/similar.ts";
import { EXIT } from "../lib/errors.ts";
import { readText } from "../lib/files/read-text.ts";
import { CODES, type CodeText, explanationsOf } from "./codes.ts";
import { colors } from "./colors.ts";
import type { CommandResult } from "./session.ts";
import { wrapped } from "./wrap.ts";

/** Columns of a terminal. */
const WIDTH = 79;
/** Of the titles before the texts. */
const TITLE_WIDTH = 8;

/** Undefined if it is no code. */
export function explainCode(code: string): CommandResult | undefined {
  const found = explanationsOf(code);
  if (found.length === 0) return undefined;
  const json = { code, explanations: found.map(toJson) };
  return { json, lines: () => found.flatMap(render), exit: EXIT.ok };
}

/** To follow an error about a missing file: the code that somebody may have meant. */
export function hintForCode(text: string): string {
  if (!/^[a-z][\w.-]*$/.test(text)) return "";
  const meant = mostSimilar(
    text,
    CODES.map(({ code }) => code),
  );
  return `, and there is no code ${text}${meant === undefined ? "" : `; did you mean ${meant}?`}`;
}

function toJson({ kind, parts, see }: CodeText): object {
  return { kind, ...Object.fromEntries(parts.map(([title, text]) => [title.replace("?", ""), text])), see };
}

function render({ code, kind, parts, see }: CodeText): readonly string[] {
  return [
    `${colors.bold(code)} (${kind})`,
    ...[...parts, ["see", see] as const].flatMap(([title, text]) =>
      wrapped(`  ${`${title}:`.padEnd(TITLE_WIDTH)} ${plain(text)}`, WIDTH, TITLE_WIDTH + 3),
    ),
    ...runbookLines(see),
  ];
}

/** The steps of the runbook, if it is installed beside the command. */
function runbookLines(see: string): readonly string[] {
  const [, section] = /^docs\/runbook\.md#(\w+)$/.exec(see) ?? [];
  if (section === undefined) return [];
  const [, text = ""] = (readRunbook() ?? "").split(`\n## ${section}\n`);
  const [own = ""] = text.split("\n## ");
  const paragraphs = own.trim().split(/\n(?=\d+\. |- )|\n\n/);
  return paragraphs.flatMap((paragraph) => {
    const line = plain(paragraph.replace(/\s*\n\s*/g, " "));
    const [mark = ""] = /^(\d+\.|-) /.exec(line) ?? [];
    return line === "" ? [] : wrapped(`  ${line}`, WIDTH, 2 + mark.length);
  });
}

function readRunbook(): string | undefined {
  for (const up of [[".."], ["..", ".."]])
    try {
      return readText(join(import.meta.dirname, ...up, "docs", "runbook.md"));
    } catch {
      // It may be in the other folder, or not installed.
    }
  return undefined;
}

/** Without Markdown. */
const plain = (text: string): string => text.replace(/\*\*|`/g, "").replace(/\[([^\]]*)\]\([^)]*\)/g, "$1");
