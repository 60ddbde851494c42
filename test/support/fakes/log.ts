import type { Log } from "../../../lib/ports/log.ts";

export interface FakeLog extends Log {
  readonly lines: readonly { readonly level: keyof Log; readonly message: string; readonly data: object }[];
}

export function fakeLog(): FakeLog {
  const lines: { level: keyof Log; message: string; data: object }[] = [];
  const write =
    (level: keyof Log) =>
    (message: string, data: object = {}) => {
      lines.push({ level, message, data });
    };
  return { lines, info: write("info"), warn: write("warn"), error: write("error") };
}
