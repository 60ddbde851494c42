import { execFileSync } from "node:child_process";
import { callFaults } from "./doc-faults.ts";

/** The words of a command as a shell splits them. @throws Error if the shell does not understand it */
export function shellWords(command: string): readonly string[] {
  const words = execFileSync("sh", ["-c", `printf '%s\\0' ${command}`], { encoding: "utf8" });
  return words.split("\0").slice(0, -1);
}

/** What the command line would not take of a page's command. */
export function commandFaults(command: string): readonly string[] {
  const [name, ...words] = shellWords(command);
  return name === "relight" ? callFaults(words, true) : [`${name} is not relight`];
}
