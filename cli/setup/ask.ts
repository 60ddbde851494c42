import { createInterface } from "node:readline";
import { RelightError } from "../../lib/errors.ts";
import { terminalLine } from "../colors.ts";
import { printAside } from "../out.ts";

/** Questions to a person at the terminal, on standard error. Ctrl-C and Ctrl-D throw `interrupted`. */
export interface Asker extends Disposable {
  /** The answer; `byDefault` if it is empty. Asks again until it is not. */
  text(question: string, byDefault?: string): Promise<string>;
  /** The index of the chosen option; Enter takes `byDefault`. */
  choose(question: string, options: readonly string[], byDefault: number): Promise<number>;
  /** Enter is a yes. */
  agrees(question: string): Promise<boolean>;
}

/** Undefined if nobody can be asked. */
export function openAsker({ json }: { readonly json: boolean }): Asker | undefined {
  if (json || !process.stdin.isTTY || !process.stderr.isTTY) return undefined;
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  // Lines typed ahead are kept for the next question.
  const lines = prompt[Symbol.asyncIterator]();
  const ask = async (question: string): Promise<string> => {
    prompt.setPrompt(`${terminalLine(question)} `);
    prompt.prompt();
    const { done, value } = await lines.next();
    if (done) throw new RelightError("interrupted", "stopped; nothing was written");
    return value.trim();
  };
  const text = async (question: string, byDefault = ""): Promise<string> => {
    const answer = (await ask(byDefault === "" ? question : `${question} [${byDefault}]`)) || byDefault;
    return answer === "" ? text(question, byDefault) : answer;
  };
  const choose = async (question: string, options: readonly string[], byDefault: number): Promise<number> => {
    printAside([question, ...options.map((option, index) => `  ${index + 1}) ${option}`)]);
    const answer = Number(await text("Number:", String(byDefault + 1)));
    if (Number.isInteger(answer) && answer >= 1 && answer <= options.length) return answer - 1;
    return choose(question, options, byDefault);
  };
  return {
    text,
    choose,
    agrees: async (question) => !/^n/i.test(await ask(`${question} [Y/n]`)),
    [Symbol.dispose]: () => prompt.close(),
  };
}
