/**
 * Makes a release in `release/`: `npm run release -- VERSION`. Sets the version in the package and the chart, dates the
 * changelog, and writes the tarball, the list of what is bundled in it (CycloneDX) and the checksums. Commits, tags and
 * publishes nothing.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import semver from "semver";
import manifest from "../package.json" with { type: "json" };

const root = join(import.meta.dirname, "..");
const folder = join(root, "release");
const CHART = join(root, "deploy", "helm", "relight", "Chart.yaml");
const CHANGELOG = join(root, "CHANGELOG.md");

interface Sbom {
  readonly metadata: object;
  readonly components: readonly { readonly "bom-ref": string; readonly name: string; readonly version: string }[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}

const USAGE = `npm run release -- VERSION

Makes release/: the package, its bill of materials (CycloneDX) and checksums. Sets the version in package.json,
package-lock.json and the chart, and dates the changelog. Commits, tags and publishes nothing.`;

function fail(message: string): never {
  console.error(`release: ${message}`);
  process.exit(3);
}

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });

/** @throws Error if the text is not there: then the file has changed, and this script has not. */
function replaceIn(file: string, pattern: RegExp, by: string): void {
  const text = readFileSync(file, "utf8");
  if (!pattern.test(text)) throw new Error(`${relative(root, file)} has nothing like ${pattern}`);
  writeFileSync(file, text.replace(pattern, by));
}

/** Only what is in the command: everything else in node_modules is a tool. */
function bundledOnly({ components, dependencies, ...rest }: Sbom): object {
  const bundled = new Set(
    readFileSync(join(root, "dist", "bundled"), "utf8")
      .trim()
      .split("\n"),
  );
  const kept = components.filter(({ name, version }) => bundled.has(`${name}@${version}`));
  const refs = new Set(kept.map((component) => component["bom-ref"]));
  return {
    ...rest,
    components: kept.map((component) => ({ ...component, scope: "required", properties: [] })),
    dependencies: dependencies
      .filter(({ ref }) => ref.startsWith("relight@") || refs.has(ref))
      .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((on) => refs.has(on)) })),
  };
}

function release(version: string): void {
  run("npm", "version", version, "--no-git-tag-version", "--allow-same-version", "--ignore-scripts");
  replaceIn(CHART, /^version: .*$/m, `version: ${version}`);
  replaceIn(CHART, /^appVersion: .*$/m, `appVersion: ${version}`);
  const date = new Date().toISOString().slice(0, 10);
  replaceIn(CHANGELOG, /^## Unreleased$/m, `## Unreleased\n\n## ${version} (${date})`);
  // The functions are no part of the package.
  run(process.execPath, "scripts/build.ts", "--command");

  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  run("npm", "pack", "--ignore-scripts", "--loglevel=error", "--pack-destination", folder);
  const sbom = JSON.parse(run("npm", "sbom", "--sbom-format=cyclonedx", "--package-lock-only")) as Sbom;
  writeFileSync(join(folder, `relight-${version}.cdx.json`), `${JSON.stringify(bundledOnly(sbom), null, 2)}\n`);
  const sums = readdirSync(folder).map((name) => {
    const digest = createHash("sha256").update(readFileSync(join(folder, name)));
    return `${digest.digest("hex")}  ${name}\n`;
  });
  writeFileSync(join(folder, "SHA256SUMS"), sums.join(""));
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { help: { type: "boolean" } } });
const [version] = positionals;
if (values.help === true) {
  console.log(USAGE);
} else {
  if (version === undefined || semver.valid(version) !== version) fail(`write a version such as 1.2.3\n\n${USAGE}`);
  if (semver.lt(version, manifest.version)) fail(`${version} is older than ${manifest.version}`);
  if (run("git", "status", "--porcelain") !== "") fail("commit or stash your changes first");
  if (/^## Unreleased\s*(?:^## |$(?![\s\S]))/m.test(readFileSync(CHANGELOG, "utf8")))
    fail("CHANGELOG.md says nothing under Unreleased");
  release(version);
  console.log(`release/ has:\n  ${readdirSync(folder).join("\n  ")}`);
  console.log(`To go on: review \`git diff\`, commit, and \`git tag v${version}\`.`);
}
