/**
 * Bundles the command and the functions: `node scripts/build.ts`. A file each, without node_modules, and beside it
 * chunks with what only some runs need (docs/decisions/0017). Does nothing where nothing has changed since.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type BuildOptions, build } from "esbuild";
import manifest from "../package.json" with { type: "json" };

const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");
/** Built aside, so that whoever runs Relight meanwhile finds the bundles that were there. */
const out = join(root, `dist-${process.pid}`);

/** In `dist`: what the bundles were made of. */
const MADE_OF = "made-of";
const SOURCES = ["lib", "cli", "functions"];
const OTHERS = ["package.json", "package-lock.json", join("scripts", "build.ts")];

/** A hash over all that goes into the bundles. */
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
  // ES modules first: the other form of some packages (UMD) hides its requires from the bundler.
  mainFields: ["module", "main"],
  sourcemap: "linked",
  sourcesContent: false,
  legalComments: "external",
  banner: { js: REQUIRE },
  logLevel: "warning",
  absWorkingDir: root,
};

const FUNCTIONS = ["sweep", "remediate", "issuer-webhook", "manual", "rotate-credentials", "escalate", "api"];

/**
 * What every run on AWS imports on demand: loaded with the function, in Lambda's init phase, which has a whole CPU
 * where a run of it has a third. Kubernetes' client, KMS, SNS, EventBridge and ways to log in that no function has
 * are left to the runs that need them.
 */
const ALWAYS = [
  "journal/dynamodb-journal",
  "telemetry/emf-metrics",
  "secrets/secrets-manager",
  "queue/sqs-jobs",
  "telemetry/xray-tracer",
];

/** The function and its chunks in a folder of its own name, so that a zip holds no other function's. */
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

/** Builds all and puts it in the place of what was there. */
async function buildAll(madeOf: string): Promise<void> {
  try {
    await Promise.all([
      // Splitting keeps the AWS SDK out of the way of those who run Relight without AWS.
      build({
        ...common,
        entryPoints: [{ in: "cli/main.ts", out: "relight" }],
        outdir: join(out, "cli"),
        splitting: true,
      }),
      ...FUNCTIONS.map(bundleFunction),
    ]);
    await writeFile(join(out, MADE_OF), madeOf);
    await rm(dist, { recursive: true, force: true });
    await rename(out, dist);
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}

const madeOf = sources();
if (builtFrom() !== madeOf) await buildAll(madeOf);
