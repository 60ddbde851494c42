/**
 * Bundles the command and the functions: `node scripts/build.ts`. A file each, without node_modules, and beside it
 * chunks with what only some runs need (docs/decisions/0017).
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type BuildOptions, build } from "esbuild";

const root = join(import.meta.dirname, "..");
const out = join(root, "dist");

/** Some dependencies are CommonJS and call `require` for Node's own modules, which ESM does not have. */
const REQUIRE =
  'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';

const common: BuildOptions = {
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node22.12",
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
const ALWAYS = ["dynamodb-journal", "emf-metrics", "secrets-manager", "sqs-jobs", "xray-tracer"];

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

await rm(out, { recursive: true, force: true });
await Promise.all([
  // Splitting keeps the AWS SDK out of the way of those who run Relight without AWS.
  build({ ...common, entryPoints: ["cli/relight.ts"], outdir: join(out, "cli"), splitting: true }),
  ...FUNCTIONS.map(bundleFunction),
]);
