import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { serverBinary } from "../lab/server-binaries.ts";
import { createWorld } from "../lab/world.ts";
import manifest from "../package.json" with { type: "json" };
import { OLDEST_NODE, oldestNode } from "./support/oldest-node.ts";
import { environment } from "./support/relight.ts";

/** What people install: the tarball of `npm pack`, in an empty folder, without the checkout. */

const root = join(import.meta.dirname, "..");
const run = promisify(execFile);
/** Bytes. */
const LARGEST = 3_000_000;

let folder: string;
let tarball: string;
let files: readonly string[];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "relight-package-"));
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
  const [packed] = JSON.parse(execFileSync("npm", args, { cwd: root, encoding: "utf8" })) as [
    { readonly filename: string; readonly files: readonly { readonly path: string }[] },
  ];
  tarball = join(folder, packed.filename);
  files = packed.files.map(({ path }) => path);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("it is the command with its documents: no function, no source map, no dependency", () => {
  expect(files).toEqual(expect.arrayContaining(["bin/relight.js", "dist/cli/relight.js", "docs/reference.md"]));
  expect(files.filter((file) => /dist\/functions|\.map$|\.ts$|^(lab|test|lib|scripts)\//.test(file))).toEqual([]);
  expect(statSync(tarball).size).toBeLessThan(LARGEST);
  execFileSync("tar", ["-xzf", tarball, "package/package.json"], { cwd: folder });
  const packed: object = JSON.parse(readFileSync(join(folder, "package", "package.json"), "utf8"));
  expect(packed).toMatchObject({ bin: { relight: "bin/relight.js" }, engines: { node: ">=22.13" } });
  expect(packed).not.toHaveProperty("dependencies");
  // npm 11 warns of those.
  const { scripts } = packed as { readonly scripts: object };
  expect(Object.keys(scripts).filter((script) => /^(pre|post)?install$|^prepare$/.test(script))).toEqual([]);
});

test("no document links to a file that is not in it", () => {
  execFileSync("tar", ["-xzf", tarball], { cwd: folder });
  const broken = files
    .filter((file) => file.endsWith(".md"))
    .flatMap((file) => {
      const text = readFileSync(join(folder, "package", file), "utf8").replaceAll(/^```[\s\S]*?^```/gm, "");
      const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target.replace(/#.*/, ""));
      return targets
        .filter((target) => target !== "" && !/^[a-z]+:/.test(target))
        .filter((target) => !existsSync(join(folder, "package", dirname(file), target)))
        .map((target) => `${file}: ${target}`);
    });
  expect(broken).toEqual([]);
});

describe.each(nodesToTry())("installed with %s", (name, nodePath) => {
  const path = [dirname(nodePath), process.env["PATH"]].join(delimiter);
  const env = { ...environment(), PATH: path };

  test.each([
    ["in a folder", [], "node_modules/.bin"],
    ["globally", ["--global", "--prefix", "."], "bin"],
  ])("%s, it checks a cluster and keeps a journal, without a warning", async (where, flags, bin) => {
    await using world = await createWorld({ binary: (await serverBinary("2.10.27")).path });
    const home = join(folder, `${name} ${where}`);
    await mkdir(home);
    await run("npm", ["install", "--no-audit", "--no-fund", "--offline", ...flags, tarball], { cwd: home, env });
    const installed = flags.length > 0 ? "lib/node_modules" : "node_modules";
    expect((await readdir(join(home, installed))).filter((entry) => !entry.startsWith("."))).toEqual(["relight"]);

    // Where `man relight` looks.
    if (flags.length > 0) expect(await readdir(join(home, "share/man/man1"))).toEqual(["relight.1"]);

    const relight = (...args: string[]) =>
      run(join(home, bin, "relight"), args, { cwd: world.home, env }).catch((error: unknown) => error);
    expect(await relight("--version")).toMatchObject({ stdout: `${manifest.version}\n`, stderr: "" });
    expect(await relight("verify", "APP")).toMatchObject({ stdout: expect.stringMatching(/healthy/), stderr: "" });
    expect(await relight("status")).toMatchObject({ stdout: expect.stringMatching(/APP .*healthy/), stderr: "" });
    expect(await relight("journal")).toMatchObject({ stdout: expect.stringMatching(/job/), stderr: "" });
  });
});

function nodesToTry(): readonly (readonly [name: string, path: string])[] {
  const current = ["this Node", process.execPath] as const;
  try {
    return [current, [`the oldest Node, ${OLDEST_NODE}`, oldestNode()]];
  } catch (error) {
    console.warn(`SKIPPED: the package on Node ${OLDEST_NODE}, which npm could not fetch: ${error}`);
    return [current];
  }
}
