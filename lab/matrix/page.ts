import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { marksOf, withPart } from "../sections.ts";
import { compareVersions } from "../worlds/variations.ts";
import type { Defect, RungName, Topology } from "./plan.ts";
import { readTries, type Step, type Try, valid } from "./records.ts";

/** The page about what was tried. Its tables follow from docs/servers/; its text is written by hand. */
export const PAGE = join(import.meta.dirname, "..", "..", "docs", "servers.md");

/** A table of the page: what became of a defect on a topology, by version. */
interface Table {
  readonly name: string;
  readonly topology: Topology;
  readonly defect: Defect;
  readonly columns: readonly RungName[];
}

const TABLES: readonly Table[] = [
  {
    name: "single-expired",
    topology: "single",
    defect: "expired",
    columns: ["wait", "push-again", "toggle", "relight"],
  },
  {
    name: "cluster-expired",
    topology: "cluster",
    defect: "expired",
    columns: ["wait", "push-again", "step-down", "scale-up", "direct-gets", "relight", "relight-restarts"],
  },
  {
    name: "cluster-restarted",
    topology: "cluster",
    defect: "restarted",
    columns: [
      ...(["wait", "push-again", "step-down", "meta-step-down", "touch", "restarts"] as const),
      ...(["restarts-leader-first", "relight", "relight-restarts"] as const),
    ],
  },
  {
    name: "cluster-restarted-one",
    topology: "cluster",
    defect: "restarted-one",
    columns: ["touch", "relight", "relight-restarts"],
  },
  { name: "single-restarted", topology: "single", defect: "restarted", columns: ["wait", "relight"] },
  {
    name: "single-connections",
    topology: "single",
    defect: "connections",
    columns: ["wait", "push-again", "toggle", "relight"],
  },
  {
    name: "cluster-connections",
    topology: "cluster",
    defect: "connections",
    columns: ["relight", "relight-restarts"],
  },
  { name: "cluster-none", topology: "cluster", defect: "none", columns: ["toggle"] },
];

const TITLES: Readonly<Record<RungName, string>> = {
  wait: "wait",
  "push-again": "push again",
  toggle: "toggle",
  "step-down": "step-downs",
  "scale-up": "scale-up",
  "direct-gets": "direct gets",
  "meta-step-down": "meta step-down",
  touch: "touch",
  restarts: "restarts, meta leader last",
  "restarts-leader-first": "restarts, meta leader first",
  relight: "Relight",
  "relight-restarts": "Relight with restarts",
};

/** The parts of the page, each with its marks. */
export function partsOf(tries: readonly Try[]): readonly (readonly [name: string, text: string])[] {
  const good = valid(tries);
  return [...TABLES.map((table) => [table.name, tableOf(table, good)] as const), ["tried", summaryOf(tries)]];
}

const marks = (name: string) => marksOf(name, "npm run matrix -- --page");

/** The page with the tables that follow from these tries. */
export function pageOf(page: string, tries: readonly Try[]): string {
  return partsOf(tries).reduce((document, [name, text]) => {
    const { begin, end } = marks(name);
    return withPart(document, marks(name), [begin, "", text, "", end].join("\n"));
  }, page);
}

export async function writePage(): Promise<void> {
  const page = existsSync(PAGE) ? readFileSync(PAGE, "utf8") : "";
  writeFileSync(PAGE, pageOf(page, readTries()));
}

function tableOf({ topology, defect, columns }: Table, tries: readonly Try[]): string {
  const own = tries.filter(({ world }) => world.startsWith(`${topology}/${defect}/`));
  if (own.length === 0) return "Not tried yet.";
  const versions = [...new Set(own.map(({ version }) => version))].sort(byVersion);
  const rows = versions.map((version) => {
    const these = own.filter((one) => one.version === version);
    return [nameOf(version), deadIn(these), ...columns.map((rung) => cellOf(rung, these))];
  });
  const heads = ["nats-server", "dead", ...columns.map((rung) => TITLES[rung])];
  const used = heads.flatMap((_, column) => (rows.some((cells) => cells[column] !== "") ? [column] : []));
  const line = (cells: readonly string[]): string => `| ${used.map((column) => cells[column]).join(" | ")} |`;
  return [line(heads), `|${used.map(() => "---|").join("")}`, ...rows.map(line)].join("\n");
}

function byVersion(one: string, other: string): number {
  const [first = "", then = ""] = one.split("+");
  const [second = "", later = ""] = other.split("+");
  return compareVersions(first, second) || then.length - later.length || compareVersions(then, later);
}

/** `2.10.27 (two), 2.10.28 (one)` */
function nameOf(version: string): string {
  const [old, newer] = version.split("+");
  return newer === undefined ? version : `${old} (two), ${newer} (one)`;
}

/** How much of what applications do failed, and whether servers panicked before any remedy. */
function deadIn(tries: readonly Try[]): string {
  const alive = tries.filter(({ dead, panics }) => dead.length + panics === 0).length;
  const panicked = tries.filter(({ panics }) => panics > 0).length;
  const most = Math.max(...tries.map(({ dead }) => dead.length));
  const uses = Math.max(...tries.map(({ uses }) => uses));
  if (alive === tries.length) return `nothing, ${times(alive, tries.length)}`;
  const dead = `${most} of ${uses} uses, ${times(tries.length - alive, tries.length)}`;
  return panicked === 0 ? dead : `${dead}; **panics by themselves**, ${times(panicked, tries.length)}`;
}

const times = (count: number, all: number): string => `${count} of ${all}`;

/** How often a remedy helped, and how long that took. */
function cellOf(rung: RungName, tries: readonly Try[]): string {
  const done = tries.flatMap(({ steps, dead }) => {
    const index = steps.findIndex((step) => step.rung === rung);
    const step = steps[index];
    const before = index > 0 ? (steps[index - 1]?.dead ?? []) : dead;
    // On a world without damage a remedy is known for what it destroys.
    return step === undefined || (before.length === 0 && rung !== "toggle") ? [] : [{ step, before }];
  });
  const groups = new Map<string, Step[]>();
  for (const { step, before } of done) {
    const result = resultOf(step, before);
    groups.set(result, [...(groups.get(result) ?? []), step]);
  }
  return [...groups]
    .map(([result, steps]) => `${result} ${times(steps.length, done.length)}${timeOf(result, steps)}`)
    .join("; ");
}

/** One word for what a remedy did. */
function resultOf({ panics, harmed, dead, relight }: Step, before: readonly string[]): string {
  if (panics > 0) return "**panics**";
  if (dead.length === 0) return "revives";
  if (relight?.outcome === "none") return `fails (${relight.verdict})`;
  if (relight?.outcome === "refused") return "refuses";
  if (harmed.length > 0 && dead.length >= before.length) return "**destroys**";
  return dead.length < before.length / 2 ? `leaves ${dead.length} dead` : "no help";
}

function timeOf(result: string, steps: readonly Step[]): string {
  if (result !== "revives") return "";
  const seconds = steps.map((step) => Math.round(step.relight?.seconds ?? step.seconds));
  const [least, most] = [Math.min(...seconds), Math.max(...seconds)];
  return least === most ? `, ${least} s` : `, ${least}–${most} s`;
}

/** How much was tried, when, with what, and what Relight got wrong. */
function summaryOf(tries: readonly Try[]): string {
  const good = valid(tries);
  if (good.length === 0) return "Nothing was tried yet.";
  const days = good.map(({ at }) => at.slice(0, 10)).sort();
  const versions = new Set(good.map(({ version }) => version));
  const said = good.flatMap(({ steps }) => steps.flatMap(({ relight }) => (relight === undefined ? [] : [relight])));
  const wrong = said.filter((one) => one.wrong.length > 0).length;
  const falsely = said.filter(({ wrong }) => wrong.some((one) => /^(false-healthy|wrongly-healed)/.test(one))).length;
  const panicked = good.filter(({ steps }) => steps.some(({ relight, panics }) => relight !== undefined && panics > 0));
  const tools = [...new Set(good.map(({ tools }) => `Node ${tools["node"]}, client ${tools["@nats-io/jetstream"]}`))];
  return [
    `${good.length} worlds on ${versions.size} versions and mixtures, ${days[0]} to ${days.at(-1)} (${tools.join("; ")}).`,
    `${tries.length - good.length} more could not be built or broken as planned, and count as not tried.`,
    `Relight healed or looked ${said.length} times: ${falsely} times it said healthy and the judge found something dead,`,
    `${wrong - falsely} times they disagreed otherwise, and during ${panicked.length} of its heals a server panicked.`,
  ].join("\n");
}
