import colors from "picocolors";

/** How a show for a person speaks: what it says with the time since it began, and what it claims proved first. */

const begun = Date.now();

export function say(line: string): void {
  const seconds = ((Date.now() - begun) / 1000).toFixed(1).padStart(5);
  console.log(`${colors.dim(`${seconds} s`)}  ${line}`);
}

export function chapter(title: string): void {
  console.log(`\n${colors.bold(title)}`);
}

/** Prints a fact, or ends the show: nothing is claimed that is not so. */
export function prove(fact: string, isTrue: boolean, seen?: unknown): void {
  if (isTrue) {
    say(`${colors.green("✓")} ${fact}`);
    return;
  }
  const saw = seen === undefined ? "" : ` (saw ${JSON.stringify(seen)})`;
  say(`${colors.red("✗")} this is not so: ${fact}${saw}`);
  throw new Error("this did not go as it should; please report it with the lines above");
}
