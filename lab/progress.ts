/** What long programs of the lab share: one line of progress, and an orderly end at Ctrl-C. */

const isInteractive = process.stderr.isTTY;

/** Overwrites the line of progress; nothing if nobody watches. */
export function sayProgress(line: string): void {
  if (isInteractive) process.stderr.write(`\r${line.slice(0, (process.stderr.columns ?? 80) - 1)}\x1b[K`);
}

/** Removes the line of progress. */
export function clearProgress(): void {
  if (isInteractive) process.stderr.write("\r\x1b[K");
}

/** Aborted by the first Ctrl-C or SIGTERM. A second one ends this process at once, and its servers with it. */
export function endsOrderly(): AbortSignal {
  const stopped = new AbortController();
  const stop = (): void => {
    if (stopped.signal.aborted) process.exit(130);
    process.exitCode = 130;
    stopped.abort();
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  return stopped.signal;
}
