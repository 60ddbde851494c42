import { spawnSync } from "node:child_process";
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import manifest from "../package.json" with { type: "json" };

/** What users of the package get, and what a checkout gets if the machine's Node is too old. */
const root = join(import.meta.dirname, "..");
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "relight-setup-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the package", () => {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<
      Record<string, { readonly version?: string; readonly bin?: object; readonly resolved?: string }>
    >;
  };

  test("has no dependency called node", () => {
    const named = Object.entries(packages).filter(([, { bin }]) => bin !== undefined && "node" in bin);
    expect(named.map(([path]) => path)).toEqual([]);
  });

  test("is locked without a developer's registry", () => {
    expect(Object.values(packages).filter(({ resolved }) => resolved !== undefined)).toEqual([]);
  });

  test.each([
    ["Middy, also where Powertools brings it", /node_modules\/@middy\/[^/]+$/],
    ["the NATS clients", /node_modules\/@nats-io\/(?:nats-core|transport-node|jetstream|kv|obj)$/],
  ])("has one version of %s", (_what, names) => {
    const found = Object.entries(packages).filter(([path]) => names.test(path));
    expect(found.length).toBeGreaterThan(2);
    expect(new Set(found.map(([, { version }]) => version)).size).toBe(1);
  });

  test("reports a Node that is too old", () => {
    const { status, stderr } = node(
      "Object.defineProperty(process, 'versions', { value: { node: '22.12.0' } }); await import(process.argv[1]);",
      [join(root, "bin", "relight.js")],
    );
    expect({ status, stderr }).toEqual({
      status: 3,
      stderr:
        "relight: Node 22.12.0 is too old; install Node 22.13 or newer, or use `npm run relight -- COMMAND` in the checkout\n",
    });
  });
});

describe("a checkout with a Node that runs no TypeScript", () => {
  /** Runs `npm` as npm would, and reports which Node is found. */
  function findNode(npm: string, before = "") {
    const npmScript = join(folder, "npm.mjs");
    writeFileSync(npmScript, npm);
    const find = "import(process.argv[1]).then(({ workingNode }) => console.log(workingNode(console.error)))";
    return node(`${before}; await ${find}`, [join(root, "scripts", "node.js")], {
      npm_execpath: npmScript,
      RELIGHT_CACHE: join(folder, "cache"),
    });
  }
  const system = `${process.platform}-${process.arch}`;
  const inCache = (): readonly string[] => globSync("cache/node/*", { cwd: folder });

  test("accepts only a package with the expected hash", () => {
    const { status, stderr } = findNode(`
      import { writeFileSync } from "node:fs";
      writeFileSync(process.argv[process.argv.indexOf("--pack-destination") + 1] + "/node.tgz", "not Node");`);
    expect(status).toBe(1);
    expect(stderr).toMatch(/node-[\w-]+@24\.\d+\.\d+ has the hash sha512-\S+, not sha512-/);
    expect(inCache()).toEqual([]);
  });

  test("repeats npm's message, with advice", () => {
    const { status, stderr } = findNode('console.error("npm error code ENOTFOUND"); process.exit(1);');
    expect(status).toBe(1);
    expect(stderr).toMatch(/ENOTFOUND\nInstall Node 24, or let npm reach its registry or the mirror in your \.npmrc/);
    expect(inCache()).toEqual([]);
  });

  test("reports a platform that npm has no Node for", () => {
    const { stderr } = findNode("", "Object.defineProperty(process, 'arch', { value: 'riscv64' })");
    expect(stderr).toMatch(/npm has no newer one for \w+-riscv64: install Node 24/);
  });

  test("downloads it once", () => {
    const version = new RegExp(`"${system}": \\{\\s+name: "\\S+",\\s+version: "(\\S+)"`).exec(
      readFileSync(join(root, "scripts", "node.js"), "utf8"),
    )?.[1];
    const fetched = join(folder, "cache", "node", `${system}-${version}`, "bin", "node");
    mkdirSync(dirname(fetched), { recursive: true });
    writeFileSync(fetched, "");
    expect(findNode("process.exit(1);")).toEqual({ status: 0, stdout: `${fetched}\n`, stderr: "" });
  });
});

test("every npm script that runs Node lets scripts/setup.js choose which", () => {
  const files = Object.values(manifest.scripts).flatMap((script) => /\bnode (\S+)/.exec(script)?.[1] ?? []);
  expect(new Set(files)).toEqual(new Set(["scripts/setup.js"]));
});

function node(script: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const flags = ["--no-experimental-strip-types", "--input-type=module", "-e", script];
  const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, ...args], {
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
  return { status, stdout, stderr };
}
