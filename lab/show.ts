import colors from "picocolors";

/** Output of the quickstart and the twin: lines with the elapsed time, and facts that are checked before they are printed. */

const begun = Date.now();

export function say(line: string): void {
  const seconds = ((Date.now() - begun) / 1000).toFixed(1).padStart(5);
  console.log(`${colors.dim(`${seconds} s`)}  ${line}`);
}

export function chapter(title: string): void {
  console.log(`\n${colors.bold(title)}`);
}

/** Prints a fact if it is true, otherwise throws. */
export function prove(fact: string, isTrue: boolean, seen?: unknown): void {
  if (isTrue) {
    say(`${colors.green("✓")} ${fact}`);
    return;
  }
  const saw = seen === undefined ? "" : ` (saw ${JSON.stringify(seen)})`;
  say(`${colors.red("✗")} not true: ${fact}${saw}`);
  throw new Error("this should not happen; please report it with the lines above");
}
