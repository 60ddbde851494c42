import type { Argument, Command, Option } from "commander";
import type * as z from "zod";
import { program } from "../../cli/relight.ts";
import type { DoctorReport } from "../../cli/render-doctor.ts";
import { JOB_EVENT } from "../../lib/adapters/aws/pages/eventbridge-bus.ts";
import { INCIDENT_EVENTS } from "../../lib/adapters/aws/pages/page-events.ts";
import { schema } from "../../lib/config/config.ts";
import type { AccountId } from "../../lib/domain/claims/account.ts";
import type { Incident } from "../../lib/domain/incidents/incident.ts";
import { CONFIGURED_MODES, type ModeSettings, modeOf } from "../../lib/domain/ladder/mode.ts";
import { type ClusterEvent, decide, type WatchFacts } from "../../lib/domain/watch/watch.ts";
import { TIMING } from "../../lib/usecases/context/timing.ts";
import type { Diagnosis } from "../../lib/usecases/reports/doctor.ts";
import { withTables } from "../../scripts/reference.ts";
import { codeIn, type Table, tablesOf } from "./markdown.ts";

/** Reads a page of the documentation by its name in docs/. */
type ReadPage = (name: string) => string;

/**
 * What is wrong with docs/reference.md, compared with the code. Empty if it has every row and no others. `read` is for
 * options, which may be on a page that the command's row links to.
 */
export function referenceFaults(page: string, read: ReadPage): readonly string[] {
  return [
    ...generatedFaults(page),
    ...configFaults(rowsOf(page, "key")),
    ...commandFaults(rowsOf(page, "command"), read),
    ...doctorFaults(rowsOf(page, "JSON")),
    ...watchFaults(rowsOf(page, "event")),
    ...modeFaults(rowsOf(page, "setting")),
    ...fieldFaults(rowsOf(page, "field")),
    ...eventFaults(rowsOf(page, "detail-type (source `relight`)")),
  ];
}

type Rows = Table["rows"];

const rowsOf = (page: string, firstHead: string): Rows =>
  tablesOf(page).find(({ head }) => head[0] === firstHead)?.rows ?? [];

/** The parts of `wanted` that no first cell has in backticks. */
const missing = (what: string, wanted: readonly string[], rows: Rows): readonly string[] => {
  const present = new Set(rows.flatMap(([first = ""]) => codeIn(first)));
  return wanted.filter((name) => !present.has(name)).map((name) => `${what} ${name} has no row`);
};

function generatedFaults(page: string): readonly string[] {
  try {
    return page === withTables(page) ? [] : ["a table is not what `npm run docs` writes"];
  } catch (error) {
    return [(error as Error).message];
  }
}

/** Rows for keys that are described elsewhere: the key of the row, and what it stands for. */
const STAND_INS: readonly (readonly [row: string, keys: RegExp])[] = [
  ["policies[].KEY", /^policies\[\]\.(?!match\b)/],
  ["accounts[].policy", /^accounts\[\]\.policy\./],
];

function configFaults(rows: Rows): readonly string[] {
  const rowOf = new Map(rows.flatMap((row) => codeIn(row[0] ?? "").map((key) => [withoutEnd(key), row] as const)));
  const isDescribed = (key: string): boolean => {
    if (rowOf.has(key)) return true;
    const [row] = STAND_INS.find(([, stoodFor]) => stoodFor.test(key)) ?? [];
    if (row !== undefined) return rowOf.has(row);
    // The row of `policy.blackouts[]` describes its `from` and `to`.
    const [, parent = "", leaf = ""] = /^(.+)\.(\w+)$/.exec(key) ?? [];
    return codeIn(rowOf.get(withoutEnd(parent))?.join() ?? "").includes(leaf);
  };
  const known = new Set([...KEYS, ...STAND_INS.map(([row]) => row)]);
  const isKnown = (key: string): boolean =>
    known.has(key) || KEYS.some((inner) => inner.startsWith(`${key}.`) || inner.startsWith(`${key}[].`));
  return [
    ...KEYS.filter((key) => !isDescribed(key)).map((key) => `the key ${key} has no row`),
    ...[...rowOf.keys()].filter((key) => !isKnown(key)).map((key) => `${key} is no key`),
  ];
}

/** `cluster.monitoring[]` and `cluster.servers` are both lists of values. */
const withoutEnd = (key: string): string => key.replace(/\[\]$/, "");

/**
 * Every configuration key that must be in the reference: those of values, and those of maps whose presence alone means
 * something. The entries of a map that may also be a list are described as the list's.
 */
function configKeys(of: z.core.$ZodType, path = ""): readonly string[] {
  const { def } = of._zod as unknown as { readonly def: SchemaPart };
  switch (def.type) {
    case "object":
      return Object.entries(def.shape).flatMap(([key, part]) => {
        const inner = path === "" ? key : `${path}.${key}`;
        return mayBeList(part) ? listToo(part, inner) : [...presence(part, inner), ...configKeys(part, inner)];
      });
    case "array":
      return configKeys(def.element, `${path}[]`);
    case "pipe":
      return configKeys(def.in._zod.def.type === "transform" ? def.out : def.in, path);
    case "optional":
    case "default":
    case "prefault":
      return configKeys(def.innerType, path);
    default:
      return [withoutEnd(path)];
  }
}

type SchemaPart =
  | { readonly type: "object"; readonly shape: Readonly<Record<string, z.ZodType>> }
  | { readonly type: "array"; readonly element: z.core.$ZodType }
  | { readonly type: "pipe"; readonly in: z.core.$ZodType; readonly out: z.core.$ZodType }
  | { readonly type: "optional" | "default" | "prefault"; readonly innerType: z.core.$ZodType }
  | { readonly type: "string" | "number" | "boolean" | "enum" };

const mayBeList = (part: z.ZodType): boolean => part.safeParse([]).success && part.safeParse({}).success;

function listToo(part: z.ZodType, path: string): readonly string[] {
  const [list = "", ...keys] = configKeys(part, path).toSorted(
    (a, b) => Number(b.includes("[]")) - Number(a.includes("[]")),
  );
  const prefix = `${list.slice(0, list.indexOf("[]"))}[]`;
  return [path, withoutEnd(prefix), ...[list, ...keys].map((key) => key.replace(prefix, `${path}[]`))];
}

/** If a map is optional and may be empty, its presence means something. */
const presence = (part: z.ZodType, path: string): readonly string[] => {
  const absent = part.safeParse(undefined);
  const isChoice = absent.success && absent.data === undefined && part.safeParse({}).success;
  return isChoice ? [path] : [];
};

const KEYS = configKeys(schema);

function commandFaults(rows: Rows, read: ReadPage): readonly string[] {
  return commandsBelow(program).flatMap(({ path, command }) => {
    const synopsis = [path, ...command.registeredArguments.map(written), ...needed(command)].join(" ");
    const own = rows.filter(([first = ""]) =>
      codeIn(first).some((code) => code.startsWith(`${path} `) || code === path),
    );
    const isThere = own.some(([first = ""]) => codeIn(first).some((code) => isLike(synopsis, code)));
    const linked = own.flatMap((row) => linksIn(row.join()).map(read));
    const text = [...rows.filter((row) => own.includes(row) || codeIn(row.join()).includes(path)), ...linked].join();
    const missing = command.options.filter(({ long }) => !text.includes(`${long}`));
    return [
      ...(isThere ? [] : [`the command ${synopsis} has no row`]),
      ...missing.map(({ long }) => `${path} ${long} is in no row of it`),
    ];
  });
}

/** Pages of docs/ that are linked to. */
const linksIn = (text: string): readonly string[] =>
  [...text.matchAll(/\]\(([\w-]+\.md)/g)].map(([, name = ""]) => name);

interface Named {
  /** `jetstream limits` */
  readonly path: string;
  readonly command: Command;
}

function commandsBelow(parent: Command, before = ""): readonly Named[] {
  return parent.commands.flatMap((command) => {
    const path = `${before}${command.name()}`;
    return command.commands.length > 0 ? commandsBelow(command, `${path} `) : [{ path, command }];
  });
}

const written = (argument: Argument): string => {
  const name = `${argument.name().toUpperCase()}${argument.variadic ? "..." : ""}`;
  return argument.required ? name : `[${name}]`;
};

const needed = ({ options }: Command): readonly string[] =>
  options.filter(({ mandatory }) => mandatory).map(({ long }: Option) => `${long} VALUE`);

/** Whether `code` is the synopsis, however it names the values of options. */
const isLike = (synopsis: string, code: string): boolean => code.replaceAll(/(--\S+) [A-Z]+/g, "$1 VALUE") === synopsis;

/** Every field, or it does not compile. */
type All<T> = Readonly<Record<keyof T, true>>;
const CLUSTER: All<Diagnosis> = {
  verdict: true,
  layers: true,
  checks: true,
  doNotRestart: true,
  noServerWouldStart: true,
  notStored: true,
  emptied: true,
  healthz: true,
  versions: true,
  resolvers: true,
  warnings: true,
};
const REPORT: All<Pick<DoctorReport, "cluster" | "manifests">> = { cluster: true, manifests: true };

function doctorFaults(rows: Rows): readonly string[] {
  const names = Object.keys(REPORT).flatMap((name) =>
    name === "cluster" ? Object.keys(CLUSTER).map((field) => `cluster.${field}`) : [name],
  );
  const plain = rows.map(([first = "", ...rest]) => [first.replaceAll("[]", ""), ...rest]);
  return missing("doctor's", names, plain);
}

const ACCOUNT = "A" as AccountId;
const EVENTS: { readonly [kind in ClusterEvent["kind"]]: Extract<ClusterEvent, { kind: kind }> } = {
  "claims-pushed": { kind: "claims-pushed", account: ACCOUNT, jti: "" },
  "push-unreadable": { kind: "push-unreadable", problem: "" },
  "deletion-ordered": { kind: "deletion-ordered", account: ACCOUNT, issuer: "", iat: 0, jti: "", isSelfSigned: true },
  "client-expired": { kind: "client-expired", account: ACCOUNT, user: "" },
  "auth-failed": { kind: "auth-failed", server: "", account: ACCOUNT },
  "leader-elected": { kind: "leader-elected", account: ACCOUNT, asset: "" },
  "quorum-lost": { kind: "quorum-lost", account: ACCOUNT, asset: "" },
  "meta-leader-elected": { kind: "meta-leader-elected", leader: "" },
  "server-stopped": { kind: "server-stopped", server: "" },
  "server-joined": { kind: "server-joined", server: "" },
  "connection-lost": { kind: "connection-lost" },
  "connection-regained": { kind: "connection-regained" },
  "events-missed": { kind: "events-missed" },
};
const BOOLEANS = [true, false];
const FACTS: readonly WatchFacts[] = BOOLEANS.flatMap((trusted) =>
  (["none", "account", "server"] as const).flatMap((storm) =>
    [true, false, undefined].map((expired) => ({
      trusted,
      storm,
      expired,
      known: true,
      ownPush: false,
      atWork: false,
    })),
  ),
);

/** Each event has rows for everything that it can lead to. */
function watchFaults(rows: Rows): readonly string[] {
  return Object.values(EVENTS).flatMap((event) => {
    const own = rows.filter(([first = ""]) => codeIn(first).includes(event.kind));
    const text = own.map(([, , leadsTo = ""]) => leadsTo.replace("warning", "note")).join();
    const does = new Set(FACTS.map((facts) => decide(event, facts, TIMING.watch).do));
    const missing = [...does].filter((action) => action !== "nothing" && !text.includes(action));
    return missing.map((action) => `no row tells that ${event.kind} leads to a ${action}`);
  });
}

const MODE_SETTINGS: readonly ModeSettings[] = BOOLEANS.flatMap((dryRun) =>
  BOOLEANS.flatMap((readOnly) =>
    [...CONFIGURED_MODES, undefined].flatMap((configured) =>
      BOOLEANS.map((canSign) => ({ dryRun, readOnly, configured, canSign })),
    ),
  ),
);

/** Whether a row applies, by how its first cell begins. */
const APPLIES: Readonly<Record<string, (settings: ModeSettings) => boolean>> = {
  "`--dry-run`": ({ dryRun }) => dryRun,
  "`readOnly: true`": ({ readOnly }) => readOnly,
  "`mode: look`": ({ configured }) => configured !== undefined,
  "no `operator.signingKey`": ({ canSign }) => !canSign,
  otherwise: () => true,
};

/** The first row that applies has the mode, for all possible settings. */
function modeFaults(rows: Rows): readonly string[] {
  return MODE_SETTINGS.flatMap((settings) => {
    const [, cell] =
      rows.find(([first = ""]) =>
        Object.entries(APPLIES).some(([begin, applies]) => first.startsWith(begin) && applies(settings)),
      ) ?? [];
    const text = cell === "the configured one" ? settings.configured : codeIn(cell ?? "")[0];
    const { mode } = modeOf(settings);
    return text === mode ? [] : [`the rows say ${text} for ${JSON.stringify(settings)}, which is ${mode}`];
  });
}

const FIELDS: All<Incident> = {
  ...{ key: true, status: true, failureClass: true, severity: true, account: true, accountName: true },
  ...{ summary: true, impact: true, also: true, was: true, advice: true, command: true, evidence: true },
  ...{ since: true, at: true, first: true, correlation: true },
};

const fieldFaults = (rows: Rows): readonly string[] => {
  const plain = rows.map(([first = "", ...rest]) => [first.replaceAll("[]", ""), ...rest]);
  return missing("the field", [...Object.keys(FIELDS), "runbook"], plain);
};

const eventFaults = (rows: Rows): readonly string[] =>
  missing("the event", [...Object.values(INCIDENT_EVENTS), JOB_EVENT], rows);
