import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { type ModuleItem, parseSync } from "@swc/core";

/** The import rules of CONTRIBUTING.md, held by reading every import, type-only and dynamic ones included. */

const root = join(import.meta.dirname, "..");
/** Path of a module from the root → what it imports: such paths, or names of packages. */
type Graph = ReadonlyMap<string, readonly string[]>;

function readGraph(folders: readonly string[]): Graph {
  const files = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => join(folder, name)),
  );
  return new Map(files.map((file) => [file, importsOf(file, readFileSync(join(root, file), "utf8"))]));
}

function importsOf(file: string, source: string): readonly string[] {
  const { body } = parseSync(source, { syntax: "typescript", target: "es2024" });
  const dynamic = [...source.matchAll(/\bimport\("([^"]+)"\)/g)].map(([, name]) => name ?? "");
  const names = [...body.flatMap((item) => sourceOf(item) ?? []), ...dynamic];
  return names.map((name) =>
    name.startsWith(".") ? relative(root, resolve(root, dirname(file), name)) : name,
  );
}

function sourceOf(item: ModuleItem): string | undefined {
  if (item.type === "ImportDeclaration" || item.type === "ExportAllDeclaration") return item.source.value;
  return item.type === "ExportNamedDeclaration" ? item.source?.value : undefined;
}

interface Rule {
  readonly place: RegExp;
  /** What modules there may import, of the project's own. */
  readonly own: RegExp;
  /** What packages they may import; any if absent. */
  readonly packages?: RegExp;
}

const INNER = "lib/domain/|lib/ports.ts$|lib/errors.ts$";
const RULES: readonly Rule[] = [
  { place: /^lib\/domain\//, own: /^lib\/domain\//, packages: /^(semver|jsonc-parser)$/ },
  { place: /^lib\/errors\.ts$/, own: /^lib\/domain\//, packages: /^$/ },
  { place: /^lib\/ports\.ts$/, own: /^lib\/domain\//, packages: /^$/ },
  {
    place: /^lib\/usecases\//,
    own: new RegExp(`^(${INNER}|lib/usecases/)`),
    packages: /^(p-wait-for|p-map)$/,
  },
  {
    place: /^lib\/adapters\/nats\//,
    own: new RegExp(`^(${INNER}|lib/adapters/nats/)`),
    packages: /^(?!@aws-sdk|node:fs)/,
  },
  {
    place: /^lib\/adapters\/aws\//,
    own: new RegExp(`^(${INNER}|lib/adapters/aws/)`),
    packages: /^(?!@nats-io)/,
  },
  {
    place: /^lib\/adapters\/local\//,
    own: new RegExp(`^(${INNER}|lib/adapters/local/)`),
    packages: /^(?!@nats-io|@aws-sdk)/,
  },
  {
    place: /^lib\/adapters\/(escalation|issuer)\//,
    own: new RegExp(`^(${INNER}|lib/adapters/escalation/)`),
    packages: /^(?!@nats-io|@aws-sdk)/,
  },
  { place: /^lib\/(config|log)\.ts$/, own: new RegExp(`^(${INNER})`), packages: /^(?!@nats-io|@aws-sdk)/ },
  { place: /^lib\/compose\.ts$/, own: /^lib\//, packages: /^node:/ },
  {
    place: /^functions\//,
    own: /^(functions\/|lib\/(compose|errors|log)\.ts$|lib\/(domain|usecases)\/|lib\/adapters\/aws\/sqs-jobs\.ts$)/,
  },
  {
    place: /^cli\//,
    own: /^(cli\/|package\.json$|lib\/(compose|errors|log|ports)\.ts$|lib\/(domain|usecases)\/)/,
  },
  { place: /^lab\//, own: /^lab\// },
];

function violations(graph: Graph): string[] {
  return [...graph].flatMap(([file, imports]) => {
    const rule = RULES.find(({ place }) => place.test(file));
    return imports
      .filter((name) => {
        const isOwn =
          graph.has(name) || /^(lib|cli|functions|lab|test|scripts)\//.test(name) || name === "package.json";
        return isOwn
          ? rule !== undefined && !rule.own.test(name)
          : rule?.packages !== undefined && !rule.packages.test(name);
      })
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

const graph = readGraph(["lib", "functions", "cli", "lab"]);

describe("the architecture", () => {
  test("has every import pointing inwards", () => {
    expect(violations(graph)).toEqual([]);
  });

  test("has no circle", () => {
    expect(cycles(graph)).toEqual([]);
  });

  test("keeps the domain pure: it never asks for the time, chance, the environment or a console", () => {
    for (const file of [...graph.keys()].filter((name) => name.startsWith("lib/domain/"))) {
      const code = readFileSync(join(root, file), "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
      expect(code).not.toMatch(/Date\.now|new Date\(\)|Math\.random|process\.|console\.|randomUUID/);
    }
  });

  test("lets verify alone write verdicts, and push alone write to the resolver", () => {
    const writers = (pattern: RegExp): string[] =>
      [...graph.keys()].filter(
        (file) => file.startsWith("lib/usecases/") && pattern.test(readFileSync(join(root, file), "utf8")),
      );
    expect(writers(/record\([^)]*"verdict"/)).toEqual(["lib/usecases/verify.ts"]);
    expect(writers(/resolver\.push\(/)).toEqual(["lib/usecases/push.ts"]);
  });

  test("has modules of a size that one can hold in mind", () => {
    for (const file of graph.keys())
      expect({ file, long: readFileSync(join(root, file), "utf8").split("\n").length > 300 }).toEqual({
        file,
        long: false,
      });
  });
});

describe("its checks can fail", () => {
  test("on an import that points outwards, or a package out of place", () => {
    const broken: Graph = new Map([
      ["lib/domain/a.ts", ["lib/ports.ts", "zod"]],
      ["lib/usecases/b.ts", ["lib/adapters/nats/c.ts", "@aws-sdk/client-sqs"]],
      ["lab/d.ts", ["lib/compose.ts"]],
    ]);
    expect(violations(broken)).toHaveLength(5);
  });

  test("on a circle", () => {
    expect(
      cycles(
        new Map([
          ["a", ["b"]],
          ["b", ["c"]],
          ["c", ["a"]],
        ]),
      ),
    ).toEqual(["a → b → c → a"]);
  });

  test("and they read every kind of import", () => {
    const source =
      'import type { A } from "./a.ts";\nexport * from "./b.ts";\nexport { c } from "./c.ts";\nconst d = await import("./d.ts");';
    expect(importsOf("lib/x.ts", source)).toEqual(["lib/a.ts", "lib/b.ts", "lib/c.ts", "lib/d.ts"]);
  });
});
