/**
 * Bundles the command and the functions: `node scripts/build.ts`. One file each, without node_modules, and chunks with what
 * only some runs need (docs/decisions/0017). Does nothing if nothing has changed.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type BuildOptions, build } from "esbuild";
import manifest from "../package.json" with { type: "json" };

const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");
/** A temporary folder, because Relight may be running from the old bundles. */
const out = join(root, `dist-new-${process.pid}`);
const old = join(root, `dist-old-${process.pid}`);

/** The file in `dist` with the hash of the bundles' sources. */
const MADE_OF = "made-of";
/** The file in `dist` with the packages in the command, one `name@version` per line, for scripts/release.ts. */
const BUNDLED = "bundled";
const SOURCES = ["lib", "cli", "console", "functions", "serve"];
const OTHERS = ["package.json", "package-lock.json", join("scripts", "build.ts")];

/** A hash over everything that goes into the bundles. */
function sources(): string {
  const hash = createHash("sha256");
  const below = SOURCES.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name)),
  );
  for (const file of [...OTHERS.map((other) => join(root, other)), ...below.sort()])
    hash.update(file).update("\0").update(readFileSync(file)).update("\0");
  return hash.digest("hex");
}

function builtFrom(): string | undefined {
  try {
    return readFileSync(join(dist, MADE_OF), "utf8");
  } catch {
    return undefined;
  }
}

/** Some dependencies are CommonJS and call `require` for Node's own modules, which ESM does not have. */
const REQUIRE =
  'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';

const common: BuildOptions = {
  bundle: true,
  format: "esm",
  platform: "node",
  target: manifest.engines.node.replace(">=", "node"),
  // ES modules first, because the UMD form of some packages hides its requires from the bundler.
  mainFields: ["module", "main"],
  sourcemap: "linked",
  sourcesContent: false,
  legalComments: "external",
  alias: { tweetnacl: join(root, "lib", "adapters", "nats", "ed25519.cjs") },
  banner: { js: REQUIRE },
  logLevel: "warning",
  absWorkingDir: root,
};

const FUNCTIONS = ["sweep", "remediate", "issuer-webhook", "manual", "rotate-credentials", "escalate", "api"];

/**
 * Modules that every run on AWS needs, loaded with the function in Lambda's init phase, which has a whole CPU instead of a
 * third. The Kubernetes client, KMS, SNS, EventBridge and other sign-in methods are loaded only by runs that need them.
 */
const ALWAYS = [
  "journal/dynamodb-journal",
  "telemetry/emf-metrics",
  "secrets/secrets-manager",
  "queue/sqs-jobs",
  "telemetry/xray-tracer",
];

/** The function, and its chunks in a folder with its name, so a zip contains no other function's chunks. */
function bundleFunction(name: string): Promise<unknown> {
  const early = ALWAYS.map((adapter) => `import "./lib/adapters/aws/${adapter}.ts";`);
  const contents = [...early, `export { handler } from "./functions/${name}.ts";`].join("\n");
  return build({
    ...common,
    stdin: { contents, resolveDir: root, sourcefile: `${name}.ts`, loader: "ts" },
    outdir: join(out, "functions"),
    entryNames: name,
    chunkNames: `${name}/[name]-[hash]`,
    outExtension: { ".js": ".mjs" },
    splitting: true,
    minify: true,
    keepNames: true,
  });
}

function packagesIn(inputs: readonly string[]): string {
  const folders = inputs.flatMap((input) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0] ?? []);
  const packages = [...new Set(folders)].map((folder) => {
    const { name, version } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
    return `${name}@${version}\n`;
  });
  return packages.sort().join("");
}

/** Builds everything and replaces the old bundles. */
async function buildAll(madeOf: string): Promise<void> {
  try {
    const [{ metafile }] = await Promise.all([
      // Splitting avoids loading the AWS SDK when Relight runs without AWS.
      build({
        ...common,
        entryPoints: [{ in: "cli/main.ts", out: "relight" }],
        outdir: join(out, "cli"),
        splitting: true,
        // Names stay, so stack traces in bug reports are readable without source maps.
        sourcemap: false,
        metafile: true,
        minifyWhitespace: true,
        minifySyntax: true,
      }),
      ...FUNCTIONS.map(bundleFunction),
    ]);
    await writeFile(join(out, BUNDLED), packagesIn(Object.keys(metafile.inputs)));
    await writeFile(join(out, MADE_OF), madeOf);
    await swap();
  } finally {
    await rm(out, { recursive: true, force: true });
    await rm(old, { recursive: true, force: true });
  }
}

/** Between the two renames there is no `dist` for an instant; bin/relight.js waits. Another build may do the same. */
async function swap(): Promise<void> {
  await rename(dist, old).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  await rename(out, dist).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
  });
}

const madeOf = sources();
if (builtFrom() !== madeOf) await buildAll(madeOf);
