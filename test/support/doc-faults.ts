import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { parseAllDocuments } from "yaml";
import { program } from "../../cli/relight.ts";
import { parseConfig, schema } from "../../lib/config/config.ts";
import { checkManifest } from "../../lib/domain/advice/probes/probe-manifest.ts";
import { isJsonObject, type JsonObject } from "../../lib/domain/time/json.ts";
import manifest from "../../package.json" with { type: "json" };
import { anchorsOf, codeIn, type Example, examplesOf, proseOf } from "./markdown.ts";

const root = join(import.meta.dirname, "..", "..");

/** The dead links of a page. `read` returns the text of a file of the project. */
export function linkFaults(page: string, read: (file: string) => string): readonly string[] {
  const links = [...proseOf(read(page)).matchAll(/\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]+))?\)/g)];
  return links.flatMap(([link, path = "", anchor]) => {
    const target = path === "" ? page : join(dirname(page), path);
    if (!existsSync(join(root, target))) return [`${page}: nothing is at ${link}`];
    const isThere = anchor === undefined || anchorsOf(read(target)).includes(anchor);
    return isThere ? [] : [`${page}: ${target} has no heading for ${link}`];
  });
}

/** What Relight would refuse in a page's examples: configurations, manifests, JSON and command lines. */
export function exampleFaults(page: string): readonly string[] {
  return [
    ...examplesOf(page).flatMap(faultsOf),
    ...codeIn(proseOf(page)).flatMap((code) => lineFaults(code, { isWhole: false })),
  ];
}

function faultsOf({ language, text }: Example): readonly string[] {
  try {
    if (language === "json") JSON.parse(text);
    if (language === "yaml") return yamlFaults(text);
    if (language !== "sh" && language !== "ini") return [];
    return text.split("\n").flatMap((line) => lineFaults(line.replace(/(^|\s)#.*$/, ""), { isWhole: true }));
  } catch (error) {
    return [`${(error as Error).message}\n${text}`];
  }
}

/** @throws Error for a configuration that Relight refuses, and for invalid YAML. */
function yamlFaults(text: string): readonly string[] {
  const documents = parseAllDocuments(text, { strict: true });
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document) => {
    if (document.errors.length > 0) throw document.errors[0];
    const content: unknown = document.toJS();
    if (!isJsonObject(content)) return ["an example is no map"];
    if (Object.keys(content).every((key) => key in schema.shape)) return configFaults(content);
    if ("template" in ((content["spec"] as object | undefined) ?? {})) return probeFaults(content);
    return "kind" in content && "apiVersion" in content ? [] : [`neither a configuration nor a manifest:\n${text}`];
  });
}

/** What an example omits because it is not its subject. */
const REST = {
  cluster: { servers: ["nats://a:4222"], systemCredentials: "file:sys.creds" },
  operator: { jwt: "file:operator.jwt" },
};
const ACCOUNT = `A${"B".repeat(55)}`;

/** @throws RelightError `config.invalid` */
function configFaults(content: JsonObject): readonly string[] {
  const whole = {
    accounts: [{ id: ACCOUNT, name: "APP" }],
    ...REST,
    ...content,
    cluster: { ...REST.cluster, ...(content["cluster"] as object | undefined) },
  };
  const contexts = { XDG_CONFIG_HOME: join(import.meta.dirname, "contexts") };
  parseConfig(JSON.stringify(whole).replaceAll("AB…", ACCOUNT), "relight.yaml", contexts);
  return [];
}

/** Recommended probes that `relight doctor --manifest` would object to. */
function probeFaults(content: JsonObject): readonly string[] {
  const text = JSON.stringify({ kind: "StatefulSet", metadata: { name: "nats" }, ...content });
  const withImage = JSON.parse(text.replace('"name":"nats",', '"name":"nats","image":"nats:2.15.1",')) as unknown;
  const containers = checkManifest([withImage]);
  const findings = containers.flatMap((container) => container.findings);
  const faults = findings.filter(({ severity }) => severity !== "note");
  return containers.length === 0 ? ["no nats-server"] : faults.map(({ message }) => message);
}

interface Line {
  /** Whether it can be run as it is; otherwise it may only name a command. */
  readonly isWhole: boolean;
}

/** What the command line, or npm, would refuse in a line that calls it. */
function lineFaults(line: string, { isWhole }: Line): readonly string[] {
  const [, script] = /^npm run ([\w:-]+)/.exec(line) ?? [];
  if (script !== undefined) return script in manifest.scripts ? [] : [`there is no \`npm run ${script}\``];
  const [, called] = /^(?:ExecStart=\S+\/|npx |.*\| )?relight (.+?)(?: …)?$/.exec(line) ?? [];
  if (called === undefined) return [];
  return callFaults(wordsOf(called), isWhole).map((fault) => `${line.trim()}: ${fault}`);
}

/** Words as a shell reads them. Brackets around optional parts, and an ellipsis, are for the reader. */
const wordsOf = (text: string): readonly string[] =>
  [...text.matchAll(/'[^']*'|"[^"]*"|\S+/g)]
    .map(([word]) => word.replaceAll(/^['"[]|['"\]]$|\.\.\.\]?$/g, ""))
    .filter((word) => !["", "COMMAND", "--help", "--version"].includes(word));

/** What the command line does not know of the words of a call; `isWhole`: nothing may be left out. */
export function callFaults(words: readonly string[], isWhole: boolean): readonly string[] {
  let command: Command = program;
  let { operands, unknown } = command.parseOptions([...words]);
  while (command.commands.length > 0 && operands.length > 0) {
    const [name, ...rest] = operands;
    const next = command.commands.find((each) => each.name() === name);
    if (next === undefined) return [`there is no command ${name}`];
    command = next;
    ({ operands, unknown } = command.parseOptions([...rest, ...unknown]));
  }
  const { registeredArguments: given, options } = command;
  const required = given.filter((argument) => argument.required).length;
  const isTooMuch = operands.length > given.length && !given.some(({ variadic }) => variadic);
  const isTooLittle = isWhole && operands.length < required;
  const needed = options.filter(({ mandatory, long }) => isWhole && mandatory && !words.includes(long ?? ""));
  return [
    ...unknown.map((word) => `${word} is unknown`),
    ...(isTooMuch || isTooLittle ? [`takes ${required} to ${given.length} arguments`] : []),
    ...needed.map(({ long }) => `lacks ${long}`),
  ];
}
