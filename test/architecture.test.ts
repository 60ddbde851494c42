import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { parseSync } from "@swc/core";

/** The import rules of CONTRIBUTING.md, checked on every import, including type-only and dynamic ones. */

const root = join(import.meta.dirname, "..");
/** Path of a module from the root → what it imports: paths or package names. */
type Graph = ReadonlyMap<string, readonly string[]>;

const sourceOf = (file: string): string => readFileSync(join(root, file), "utf8");

function readGraph(folders: readonly string[]): Graph {
  const files = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => join(folder, name)),
  );
  return new Map(files.map((file) => [file, importsOf(file, sourceOf(file))]));
}

/** Every import and re-export of a module: static or dynamic, of values or of types. */
function importsOf(file: string, source: string): readonly string[] {
  const names = specifiersIn(parseSync(source, { syntax: "typescript", target: "es2024" }));
  return names.map((name) => (name.startsWith(".") ? relative(root, resolve(root, dirname(file), name)) : name));
}

type SyntaxNode = Readonly<Record<string, unknown>>;
const isNode = (value: unknown): value is SyntaxNode => typeof value === "object" && value !== null;

function specifiersIn(value: unknown): string[] {
  if (!isNode(value)) return [];
  const inside = Object.values(value).flatMap(specifiersIn);
  const name = specifierOf(value);
  return name === undefined ? inside : [name, ...inside];
}

function specifierOf(node: SyntaxNode): string | undefined {
  const { type, source, callee, argument } = node;
  const declarations = ["ImportDeclaration", "ExportAllDeclaration", "ExportNamedDeclaration"];
  if (declarations.includes(String(type))) return textOf(source);
  if (type === "TsImportType") return textOf(argument);
  if (type !== "CallExpression" || !isNode(callee) || callee["type"] !== "Import") return undefined;
  const [first] = node["arguments"] as readonly { expression: unknown }[];
  return textOf(first?.expression) ?? COMPUTED;
}

const textOf = (node: unknown): string | undefined =>
  isNode(node) && node["type"] === "StringLiteral" ? String(node["value"]) : undefined;

/** What a dynamic import without a literal counts as: it could be anything, so no rule allows it. */
const COMPUTED = "(computed)";

interface Rule {
  readonly place: RegExp;
  /** The project's modules that it may import. */
  readonly own: RegExp;
  /** The packages that it may import. */
  readonly packages: RegExp;
}

const INNER = "lib/(domain|ports)/|lib/errors\\.ts$";
/** No cloud, NATS or Kubernetes, which have one folder each. */
const NEUTRAL = /^(?!@aws-sdk\/|@nats-io\/|@kubernetes\/)/;
const adapters = (folder: string, packages: RegExp): Rule => ({
  place: new RegExp(`^lib/adapters/${folder}/`),
  own: new RegExp(`^(${INNER}|lib/adapters/${folder}/)`),
  packages,
});

/**
 * What commands and handlers may call directly: each goes through `runJob`, or changes no account. Only jobs call what
 * works on an account (heal, push, renew, a remedy).
 */
const ENTRIES = "usecases/((orders|reports)/|(remediate/remediation|sweep/sweep|watch/watch)\\.ts$)";
const FACE = `lib/((errors|log|compose/(compose|open-service|setup|known-names))\\.ts$|(domain|ports|files|http)/|${ENTRIES})`;
const HANDLER = `functions/|${FACE}|lib/(compose/open-observers|usecases/paging/send-page)\\.ts$`;

/** The first matching rule applies; a module without one fails. */
const RULES: readonly Rule[] = [
  // Every other subject needs these, so they need none of them.
  { place: /^lib\/domain\/time\//, own: /^lib\/domain\/time\//, packages: /^$/ },
  { place: /^lib\/domain\//, own: /^lib\/domain\//, packages: /^(semver|jsonc-parser)$/ },
  { place: /^lib\/errors\.ts$/, own: /^lib\/domain\//, packages: /^$/ },
  { place: /^lib\/ports\//, own: /^lib\/(domain|ports)\//, packages: /^$/ },
  {
    place: /^lib\/usecases\//,
    own: new RegExp(`^(${INNER}|lib/usecases/)`),
    packages: /^p-map$/,
  },
  { place: /^lib\/files\//, own: /^lib\/files\//, packages: /^node:/ },
  adapters("nats", /^(?!@aws-sdk\/|node:fs)/),
  adapters("aws", /^(?!@nats-io\/)/),
  ...["issuer", "webhooks"].map((folder) => adapters(folder, NEUTRAL)),
  ...["local", "source"].map((folder) => ({
    ...adapters(folder, NEUTRAL),
    own: new RegExp(`^(${INNER}|lib/files/|lib/adapters/${folder}/)`),
  })),
  {
    ...adapters("escalation", NEUTRAL),
    own: new RegExp(`^(${INNER}|lib/adapters/(escalation|webhooks)/)`),
  },
  {
    ...adapters("restart", /^(?!@aws-sdk\/|@nats-io\/)/),
    own: new RegExp(`^(${INNER}|lib/adapters/(restart|webhooks)/)`),
  },
  // The type of the client only; see the test below.
  {
    place: /^lib\/compose\/secrets\.ts$/,
    own: new RegExp(`^(${INNER}|lib/config/|lib/adapters/(local|aws)/)`),
    packages: /^@aws-sdk\/client-secrets-manager$/,
  },
  { place: /^lib\/compose\//, own: /^lib\//, packages: /^node:/ },
  {
    place: /^lib\/config\//,
    own: new RegExp(`^(${INNER}|lib/files/|lib/config/|lib/http/loopback\\.ts$)`),
    packages: NEUTRAL,
  },
  {
    place: /^lib\/http\//,
    own: new RegExp(`^(${INNER}|lib/log\\.ts$|lib/http/|lib/usecases/orders/)`),
    packages: /^(zod|node:(crypto|net))$/,
  },
  { place: /^lib\/log\.ts$/, own: new RegExp(`^(${INNER})`), packages: NEUTRAL },
  {
    place: /^functions\/remediate\.ts$/,
    own: new RegExp(`^(${HANDLER}|lib/adapters/aws/queue/job-message\\.ts$)`),
    packages: NEUTRAL,
  },
  { place: /^functions\//, own: new RegExp(`^(${HANDLER})`), packages: NEUTRAL },
  { place: /^console\//, own: new RegExp(`^(console/|${FACE})`), packages: NEUTRAL },
  // A command starts what another face serves.
  {
    place: /^cli\/(console|serve)\.ts$/,
    own: new RegExp(`^(cli/|serve/|package\\.json$|console/open\\.ts$|${FACE})`),
    packages: NEUTRAL,
  },
  { place: /^serve\//, own: new RegExp(`^(serve/|${FACE})`), packages: /^(hono|@hono\/node-server|node:)/ },
  { place: /^cli\//, own: new RegExp(`^(cli/|serve/|package\\.json$|${FACE})`), packages: NEUTRAL },
  // The twin checks in the emulator what the product did there, with AWS's own clients.
  { place: /^lab\/twin\//, own: /^lab\//, packages: /^/ },
  // The judge of random worlds shares no code: it has the official clients, and the plan of the world.
  { place: /^lab\/worlds\/judge/, own: /^lab\/worlds\/(judge|plan)/, packages: /^(@nats-io\/|node:)/ },
  { place: /^lab\//, own: /^lab\//, packages: /^(?!@aws-sdk\/)/ },
];

/** Stands in for Lambda's runtime: it loads a packaged bundle in its own process. */
const LOADER = "lab/twin/runtime.ts";

const OWN = /^((lib|cli|console|functions|serve|lab|test|scripts|bin|docs|events)\/|package\.json$|\.\.?\/)/;

function violations(graph: Graph): string[] {
  return [...graph].flatMap(([file, imports]) => {
    const rule = RULES.find(({ place }) => place.test(file));
    if (rule === undefined) return [`${file} has no rule`];
    return imports
      .filter(
        (name) => (name === COMPUTED && file !== LOADER) || !(OWN.test(name) ? rule.own : rule.packages).test(name),
      )
      .map((name) => `${file} imports ${name}`);
  });
}

function cycles(graph: Graph): string[] {
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) {
      found.push([...path.slice(path.indexOf(file)), file].join(" → "));
      return;
    }
    if (done.has(file)) return;
    for (const next of graph.get(file) ?? []) if (graph.has(next)) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return found;
}

/** Which folders below `place` import which. */
function foldersOf(files: Graph, place: string): Graph {
  const folders = new Map<string, Set<string>>();
  for (const [file, imports] of files) {
    if (!file.startsWith(place)) continue;
    const folder = dirname(file);
    const others = imports.map(dirname).filter((other) => other.startsWith(place) && other !== folder);
    folders.set(folder, new Set([...(folders.get(folder) ?? []), ...others]));
  }
  return new Map([...folders].map(([folder, others]) => [folder, [...others]]));
}

/** A module without its comments. */
const codeOf = (source: string): string => source.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");

/** Modules that wait by themselves; all others call `waitUntil`. */
const SLEEPERS = [
  "context/lease.ts",
  "context/wait-until.ts",
  "watch/watch-queue.ts",
  "watch/watch-sweeps.ts",
  "watch/expiry-times.ts",
];

/** Where the domain or a use case reads or waits for a time that is not the clock's, or has a literal duration. */
function timeFaults(file: string, source: string): string[] {
  const [, layer, name = ""] = /^lib\/(domain|usecases)\/(.*)/.exec(file) ?? [];
  if (layer === undefined) return [];
  const code = codeOf(source);
  const fault = (what: string, pattern: RegExp): string[] => (pattern.test(code) ? [`${file} ${what}`] : []);
  const waits = /\bwaitUntil\(|\.sleep\(/.test(code);
  return [
    ...fault("reads the machine's clock", /\bDate\.now\b|\bnew Date\(\)|\bperformance\b/),
    ...fault("has a timer", /\bset(Timeout|Interval|Immediate)\b|\bAbortSignal\.timeout\b/),
    ...(SLEEPERS.includes(name) ? [] : fault("sleeps by itself", /\.sleep\(/)),
    // Zero is not a duration.
    ...(waits ? fault("says how long it waits", /\bmillis\([\d_]*[1-9]|\b(timeout|interval): *[\d_]*[1-9]/) : []),
  ];
}

const graph = readGraph(["lib", "functions", "cli", "console", "serve", "lab"]);

describe("the architecture", () => {
  test("has every import pointing inwards", () => {
    expect(violations(graph)).toEqual([]);
  });

  test("reads the code: it is not empty, and its imports were found", () => {
    expect(graph.size).toBeGreaterThan(60);
    expect(graph.get("functions/remediate.ts")).toContain("lib/adapters/aws/queue/job-message.ts");
    expect(graph.get("lib/compose/adapters-of.ts")).toContain("lib/adapters/aws/journal/dynamodb-journal.ts");
    for (const [file, imports] of graph)
      for (const name of imports)
        if (name.endsWith(".ts")) expect({ file, name, exists: graph.has(name) }).toMatchObject({ exists: true });
  });

  test("keeps adapters behind compose, the clouds' and NATS's libraries in their folders", () => {
    const importers = (pattern: RegExp): string[] =>
      [...graph]
        .filter(([file, imports]) => !file.startsWith("lab/") && imports.some((name) => pattern.test(name)))
        .map(([file]) => file);
    const outside = importers(/^lib\/adapters\//).filter((file) => !/^lib\/(adapters|compose)\//.test(file));
    expect(outside).toEqual(["functions/remediate.ts"]);
    const clouds = importers(/^@aws-sdk\//).filter((file) => !file.startsWith("lib/adapters/aws/"));
    expect(clouds).toEqual(["lib/compose/secrets.ts"]);
    expect(sourceOf("lib/compose/secrets.ts")).not.toMatch(/^import (?!type ).*@aws-sdk|import\("@aws-sdk/m);
    expect(importers(/^@nats-io\//).filter((file) => !file.startsWith("lib/adapters/nats/"))).toEqual([]);
  });

  test("has small folders, and nothing loose in lib", () => {
    const folders = Map.groupBy(
      [...graph.keys()].filter((file) => /^(lib|console)\//.test(file)),
      dirname,
    );
    expect(folders.get("lib")).toEqual(["lib/errors.ts", "lib/log.ts"]);
    for (const layer of ["domain", "usecases", "adapters"]) expect(folders.get(`lib/${layer}`)).toBeUndefined();
    expect([...folders].filter(([, files]) => files.length > 15)).toEqual([]);
  });

  test("keeps handlers thin", () => {
    const long = [...graph.keys()].filter(
      (file) => file.startsWith("functions/") && sourceOf(file).split("\n").length > 90,
    );
    expect(long).toEqual([]);
  });

  test("has no import cycles", () => {
    expect(cycles(graph)).toEqual([]);
  });

  test("imports the use cases' folders in one direction only", () => {
    const folders = foldersOf(graph, "lib/usecases/");
    expect(folders.get("lib/usecases/remediate")).toContain("lib/usecases/job");
    expect(cycles(folders)).toEqual([]);
  });

  test("keeps the domain pure: no randomness, environment or console", () => {
    for (const file of [...graph.keys()].filter((name) => name.startsWith("lib/domain/"))) {
      expect(codeOf(sourceOf(file))).not.toMatch(/Math\.random|process\.|console\.|randomUUID|globalThis|fetch\(/);
    }
  });

  test("has one clock, and one value that holds how long use cases wait", () => {
    const faults = [...graph.keys()].flatMap((file) => timeFaults(file, sourceOf(file)));
    expect(faults).toEqual([]);
  });

  test("lets only verify write verdicts, and only push write to the resolver", () => {
    const writers = (pattern: RegExp): string[] =>
      [...graph.keys()].filter((file) => file.startsWith("lib/usecases/") && pattern.test(sourceOf(file)));
    expect(writers(/record\([^)]*"verdict"/)).toEqual(["lib/usecases/observe/verify.ts"]);
    expect(writers(/resolver\.push\(/)).toEqual(["lib/usecases/push/push.ts"]);
  });

  /** Subjects that adapters write, with `*` for placeholders; listening (events.ts, deletions.ts) changes nothing. */
  const subjectsIn = (file: string): string[] => {
    const code = codeOf(sourceOf(file));
    return (code.match(/["'`]\$(JS\.API|SYS\.REQ)\.[^"'`:]*/g) ?? []).map((text) =>
      text.slice(1).replace(/\$\{[^}]*\}/g, "*"),
    );
  };
  /** Read-only subjects. Everything else counts as a write. */
  const ASKS = [
    /^\$JS\.API\.(INFO|>|(STREAM|CONSUMER)\.(INFO|NAMES|LIST)(\..*)?|CONSUMER\.MSG\.NEXT\..*|DIRECT\.GET\..*)$/,
    /^\$SYS\.REQ\.SERVER\.(\*|PING)(\.(\*|[A-Z]+Z))?$/,
    /^\$SYS\.REQ\.ACCOUNT\.(?:\*|PING)\.([A-Z]+Z|INFO|CLAIMS\.LOOKUP)$/,
    /^\$SYS\.REQ\.CLAIMS\.(LIST|PACK)$/,
  ];

  const LISTENERS = ["lib/adapters/nats/events/events.ts", "lib/adapters/nats/events/deletions.ts"];

  test("lets only two adapters change servers: those of the ports that obey the mode", () => {
    const orders = [...graph.keys()]
      .filter((file) => file.startsWith("lib/adapters/") && !LISTENERS.includes(file))
      .flatMap((file) => subjectsIn(file).map((subject) => ({ file, subject })))
      .filter(({ subject }) => !ASKS.some((ask) => ask.test(subject)));
    const [assets, resolver] = ["lib/adapters/nats/streams/assets.ts", "lib/adapters/nats/jwt/resolver.ts"];
    // An internal part that nobody else may use.
    const recreate = "lib/adapters/nats/streams/recreate.ts";
    const users = [...graph].filter(([, imports]) => imports.includes(recreate)).map(([file]) => file);
    expect(users).toEqual([assets]);
    const allowed: readonly (string | undefined)[] = [assets, resolver, recreate];
    const elsewhere = orders.filter(({ file }) => !allowed.includes(file));
    expect(elsewhere).toEqual([]);
    for (const file of LISTENERS) expect(sourceOf(file)).not.toMatch(/\.(publish|request|respond)\w*\(/);
    // It does find writes in these.
    expect(orders).toContainEqual({ file: resolver, subject: "$SYS.REQ.CLAIMS.UPDATE" });
    expect(orders).toContainEqual({ file: assets, subject: "$JS.API.STREAM.LEADER.STEPDOWN.*" });
    // The client library writes through methods, without a subject.
    const managers = [...graph].filter(([, imports]) => imports.includes("@nats-io/jetstream"));
    const changes = /\.(streams|consumers)\.(add|update|delete|purge|pause|resume|deleteMessage)\b/;
    const changing = managers.map(([file]) => file).filter((file) => changes.test(sourceOf(file)));
    expect(changing.filter((file) => file.startsWith("lib/"))).toEqual([]);
  });

  test("has modules of a readable size", () => {
    for (const file of graph.keys())
      expect({ file, long: sourceOf(file).split("\n").length > 300 }).toEqual({
        file,
        long: false,
      });
  });
});

describe("its checks can fail", () => {
  test.each<[string, string, string]>([
    ["the domain on a port", "lib/domain/claims/a.ts", "lib/ports/jobs.ts"],
    ["the domain on an error", "lib/domain/a.ts", "lib/errors.ts"],
    ["the domain on a library", "lib/domain/a.ts", "zod"],
    ["the domain on Node", "lib/domain/a.ts", "node:crypto"],
    ["what every subject needs on a subject", "lib/domain/time/a.ts", "lib/domain/claims/b.ts"],
    ["a port on a use case", "lib/ports/jobs.ts", "lib/usecases/b.ts"],
    ["a port on a library", "lib/ports/jobs.ts", "pino"],
    ["a use case on an adapter", "lib/usecases/b.ts", "lib/adapters/nats/c.ts"],
    ["a use case on the configuration", "lib/usecases/b.ts", "lib/config/config.ts"],
    ["a use case on a cloud", "lib/usecases/b.ts", "@aws-sdk/client-sqs"],
    ["an adapter on a use case", "lib/adapters/nats/c.ts", "lib/usecases/b.ts"],
    ["an adapter on another", "lib/adapters/escalation/c.ts", "lib/adapters/issuer/d.ts"],
    ["an adapter on Kubernetes", "lib/adapters/local/c.ts", "@kubernetes/client-node"],
    ["a restarter on NATS", "lib/adapters/restart/c.ts", "@nats-io/jwt"],
    ["an adapter on a cloud that is not its own", "lib/adapters/nats/c.ts", "@aws-sdk/client-sqs"],
    ["a cloud's adapter on NATS", "lib/adapters/aws/c.ts", "@nats-io/jwt"],
    ["a local adapter on NATS", "lib/adapters/local/c.ts", "@nats-io/nkeys"],
    ["the secrets on NATS's adapters", "lib/compose/secrets.ts", "lib/adapters/nats/c.ts"],
    ["an adapter in no folder", "lib/adapters/new.ts", "lib/ports/jobs.ts"],
    ["the configuration on a use case", "lib/config/config.ts", "lib/usecases/b.ts"],
    ["the log on a cloud", "lib/log.ts", "@aws-sdk/client-sqs"],
    ["a handler on an adapter", "functions/sweep.ts", "lib/adapters/aws/queue/sqs-jobs.ts"],
    ["a handler on another adapter", "functions/remediate.ts", "lib/adapters/nats/c.ts"],
    ["a handler on a cloud", "functions/sweep.ts", "@aws-sdk/client-sqs"],
    ["a handler on job internals", "functions/manual.ts", "lib/usecases/remediate/heal.ts"],
    ["a command on job internals", "cli/x.ts", "lib/usecases/push/push.ts"],
    ["a command on a job itself", "cli/x.ts", "lib/usecases/job/job.ts"],
    ["a command on a look that no report is made of", "cli/x.ts", "lib/usecases/observe/look.ts"],
    ["a server's route on job internals", "serve/x.ts", "lib/usecases/push/push.ts"],
    ["a server's route on an adapter", "serve/x.ts", "lib/adapters/local/clock.ts"],
    ["what the faces share on a face", "lib/http/x.ts", "serve/server.ts"],
    ["a command on an adapter", "cli/x.ts", "lib/adapters/local/clock.ts"],
    ["a command on the configuration", "cli/x.ts", "lib/config/config.ts"],
    ["a page on a command", "console/x.ts", "cli/render.ts"],
    ["a page on job internals", "console/x.ts", "lib/usecases/push/push.ts"],
    ["a page on an adapter", "console/x.ts", "lib/adapters/local/clock.ts"],
    ["a command on the pages", "cli/x.ts", "console/app.ts"],
    ["the lab on the product", "lab/d.ts", "lib/compose/compose.ts"],
    ["the lab on a cloud, but for the twin", "lab/d.ts", "@aws-sdk/client-sqs"],
    ["the twin on the product", "lab/twin/d.ts", "lib/compose/compose.ts"],
    ["the judge on the product", "lab/worlds/judge.ts", "lib/domain/verdict/a.ts"],
    ["the judge on the lab", "lab/worlds/judge-buckets.ts", "lab/zoo.ts"],
    ["the product on the lab", "lib/usecases/b.ts", "lab/keys.ts"],
    ["the product on its tests", "lib/compose/compose.ts", "test/support/context.ts"],
    ["a module that has no rule", "lib/misc.ts", "lib/domain/a.ts"],
    ["a module whose name is computed", "lib/compose/compose.ts", COMPUTED],
  ])("on %s", (_what, file, name) => {
    expect(violations(new Map([[file, [name]]]))).toHaveLength(1);
  });

  test.each<[string, readonly [string, readonly string[]][], string[]]>([
    [
      "of three",
      [
        ["a", ["b"]],
        ["b", ["c"]],
        ["c", ["a"]],
      ],
      ["a → b → c → a"],
    ],
    ["of one", [["a", ["a"]]], ["a → a"]],
    [
      "beside a way that ends",
      [
        ["a", ["b", "c"]],
        ["b", ["d"]],
        ["c", ["d", "e"]],
        ["d", []],
        ["e", ["c"]],
      ],
      ["c → e → c"],
    ],
    [
      "without a cycle: two paths to one place",
      [
        ["a", ["b", "c"]],
        ["b", ["d"]],
        ["c", ["d"]],
        ["d", ["zod"]],
      ],
      [],
    ],
  ])("on a cycle: %s", (_what, edges, expected) => {
    expect(cycles(new Map(edges))).toEqual(expected);
  });

  test("on folders that import each other, though no file does", () => {
    const files = new Map([
      ["lib/usecases/job/a.ts", ["lib/usecases/paging/b.ts", "zod"]],
      ["lib/usecases/paging/c.ts", ["lib/usecases/job/d.ts", "lib/usecases/paging/b.ts"]],
    ]);
    expect(cycles(files)).toEqual([]);
    expect(cycles(foldersOf(files, "lib/usecases/"))).toEqual([
      "lib/usecases/job → lib/usecases/paging → lib/usecases/job",
    ]);
  });

  test.each<[string, string, string]>([
    ["a reading of the time", "reads the machine's clock", "const now = Date.now();"],
    ["a date of now", "reads the machine's clock", "const at = new Date().toISOString();"],
    ["a stopwatch", "reads the machine's clock", "const { now } = performance;"],
    ["a timer", "has a timer", "setTimeout(begin, 10);"],
    ["a heartbeat", "has a timer", "const heart = setInterval(beat, every);"],
    ["a signal that time gives", "has a timer", "ask({ signal: AbortSignal.timeout(limit) });"],
    ["a pause", "sleeps by itself", "await clock.sleep(timing.pause);"],
    ["a literal time", "says how long it waits", "const WITHIN = millis(5_000); waitUntil(clock, isOver, WITHIN);"],
    ["a literal bound", "says how long it waits", "waitUntil(clock, isOver, { timeout: 500 as Millis, interval });"],
  ])("on %s", (_what, fault, source) => {
    expect(timeFaults("lib/usecases/remedies/b.ts", source)).toEqual([`lib/usecases/remedies/b.ts ${fault}`]);
    expect(timeFaults("lib/adapters/nats/c.ts", source)).toEqual([]);
  });

  test("on a timer in the domain, but not in a comment or on a correct wait", () => {
    expect(timeFaults("lib/domain/a.ts", "setTimeout(begin, 10);")).toHaveLength(1);
    const source = `
      // Date.now() would do, and so would setTimeout.
      const timeout = signal === undefined ? millis(0) : context.timing.busy.timeout;
      await waitUntil(clock, isOver, { ...timing.election, timeout });`;
    expect(timeFaults("lib/usecases/b.ts", source)).toEqual([]);
  });

  test("and they read every kind of import, and nothing that only looks like one", () => {
    const source = `
      import type { A } from "./a.ts";
      import { type B } from "../b.ts";
      export * from "./c.ts";
      export type { D } from "./d.ts";
      import "./e.ts";
      // import "./comment.ts";
      const text = 'import("./text.ts")';
      export async function load(name: string) {
        const { f } = await import('./f.ts');
        return [f, text, await import(name)] as [import("./g.ts").G, string, unknown];
      }
      import zod from "zod";
    `;
    expect([...importsOf("lib/sub/x.ts", source)].sort()).toEqual([
      COMPUTED,
      ...["lib/b.ts", ...["a", "c", "d", "e", "f", "g"].map((name) => `lib/sub/${name}.ts`)],
      "zod",
    ]);
  });
});
