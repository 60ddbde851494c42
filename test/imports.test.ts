import { readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { type ModuleItem, parseSync } from "@swc/core";

/** What is loaded before anything runs, because imports take most of the time of a short command and of a cold start. */

const root = join(import.meta.dirname, "..");

/** The names that a module imports at once: neither types nor what it imports on demand. */
function importsOf(file: string): readonly string[] {
  const { body } = parseSync(readFileSync(join(root, file), "utf8"), { syntax: "typescript", target: "es2024" });
  return body.flatMap((item) => (isLoaded(item) ? [item.source.value] : []));
}

function isLoaded(item: ModuleItem): item is Extract<ModuleItem, { type: "ImportDeclaration" }> {
  if (item.type !== "ImportDeclaration" || item.typeOnly) return false;
  const all = item.specifiers;
  return all.length === 0 || all.some((one) => one.type !== "ImportSpecifier" || !one.isTypeOnly);
}

/** Everything that the module loads: files of the project, and packages. */
function loadedBy(file: string, loaded: Set<string> = new Set([file])): ReadonlySet<string> {
  for (const name of importsOf(file)) {
    const own = name.startsWith(".") ? relative(root, resolve(root, dirname(file), name)) : undefined;
    const found = own ?? name;
    if (loaded.has(found)) continue;
    loaded.add(found);
    if (own?.endsWith(".ts")) loadedBy(own, loaded);
  }
  return loaded;
}

const packagesOf = (file: string): readonly string[] =>
  [...loadedBy(file)].filter((name) => !/\.(ts|json)$/.test(name) && !name.startsWith("node:")).sort();

test("the command loads what help, completion and mistakes need, and nothing else", () => {
  expect(packagesOf("cli/main.ts")).toEqual(["commander", "get-east-asian-width", "ms", "picocolors"]);
  expect(
    [...loadedBy("cli/main.ts")].filter((name) => /^lib\/(adapters|compose|config|usecases)\//.test(name)),
  ).toEqual([]);
});

describe("before a run", () => {
  test.each(["api", "escalate", "issuer-webhook", "manual", "remediate", "rotate-credentials", "sweep"])(
    "%s loads no client of NATS, AWS or Kubernetes that some runs don't need",
    (name) => {
      const packages = packagesOf(`functions/${name}.ts`);
      expect(packages).toContain("@middy/core");
      expect(packages.filter((each) => /^(@aws-sdk|@nats-io|@kubernetes)\//.test(each))).toEqual([]);
    },
  );

  test("this finds what is loaded: a cluster needs the NATS client", () => {
    expect(packagesOf("lib/adapters/nats/probes/cluster.ts")).toContain("@nats-io/transport-node");
    expect(packagesOf("lib/adapters/nats/probes/cluster.ts")).not.toContain("@nats-io/jetstream");
  });
});
