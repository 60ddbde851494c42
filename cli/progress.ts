import { formatDuration, millis } from "../lib/domain/time/time.ts";
import type { Log } from "../lib/ports/log.ts";
import { terminalLine } from "./colors.ts";
import { printAside } from "./out.ts";
import { fitting } from "./table.ts";

/** What people see while a command runs; always on standard error. */
export interface Progress {
  readonly log: Log;
  say(text: string): void;
  warn(text: string): void;
  end(): void;
}

/** On a line of its own. */
export const warn = (text: string): void => printAside([`relight: warning: ${text}`]);

/** Milliseconds. */
const SECOND = 1_000;
/** Columns of the spinner, and of a time that grows. */
const MARGIN = 16;

/**
 * At a terminal a spinner with the step under way and its elapsed time, and a line for each rung that ended; log lines
 * with `--verbose`; otherwise silence.
 */
export async function progressLine(
  { json, verbose }: { readonly json: boolean; readonly verbose: boolean },
  doing: string,
): Promise<Progress> {
  const nothing = (): void => undefined;
  if (verbose) {
    const { createLog } = await import("../lib/log.ts");
    return { log: createLog({ level: "info" }), say: nothing, warn, end: nothing };
  }
  // A terminal without a width, as `script` makes one, would keep the spinner busy forever.
  const { columns = 0 } = process.stderr;
  if (json || !process.stderr.isTTY || columns === 0)
    return { log: { info: nothing, warn: nothing, error: nothing }, say: nothing, warn, end: nothing };
  const { default: ora } = await import("ora");
  const spinner = ora({ text: doing, discardStdin: false }).start();
  const step = stepTimer((text) => {
    spinner.text = terminalLine(text);
  }, columns - MARGIN);
  step.begin(doing);
  const beside = (print: () => void): void => {
    spinner.stop();
    print();
    spinner.start();
  };
  let under: string | undefined;
  const describe = (message: string, data: object = {}): void => {
    const { rung, result } = data as { rung?: string; result?: string };
    // What the command does is said already.
    if (message === "a job began") return;
    if (rung === undefined) {
      if (under === undefined) step.begin(message);
      else step.goOn(`${under}: ${message}`);
      return;
    }
    under = result === undefined ? rung : undefined;
    if (result !== undefined) beside(() => printAside([`  ${rung}: ${result} after ${step.elapsed()}`]));
    step.begin(under ?? "checking again");
  };
  return {
    log: { info: describe, warn: describe, error: describe },
    say: step.begin,
    warn: (text) => beside(() => warn(text)),
    end: () => {
      step.end();
      spinner.stop();
    },
  };
}

interface StepTimer {
  begin(text: string): void;
  /** Another text for the same step. */
  goOn(text: string): void;
  elapsed(): string;
  end(): void;
}

/** Shows the step with the seconds since it began. */
function stepTimer(show: (text: string) => void, width: number): StepTimer {
  let [text, began] = ["", performance.now()];
  const elapsed = (): string => formatDuration(millis(Math.floor((performance.now() - began) / SECOND) * SECOND));
  const update = (): void => {
    const isLong = performance.now() - began >= SECOND;
    show(`${fitting(text, width)}${isLong ? ` (${elapsed()})` : ""}`);
  };
  const timer = setInterval(update, SECOND);
  timer.unref();
  return {
    begin: (next) => {
      [text, began] = [next, performance.now()];
      update();
    },
    goOn: (next) => {
      text = next;
      update();
    },
    elapsed,
    end: () => clearInterval(timer),
  };
}
