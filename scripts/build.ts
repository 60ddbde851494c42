/**
 * Bundles the command and the functions: `node scripts/build.ts`.
 * One file each, without node_modules: that is what Lambda starts fastest, and what `npx relight` runs.
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

await rm(out, { recursive: true, force: true });
await Promise.all([
  // Splitting keeps the AWS SDK out of the way of those who run Relight without AWS.
  build({ ...common, entryPoints: ["cli/relight.ts"], outdir: join(out, "cli"), splitting: true }),
  build({
    ...common,
    entryPoints: FUNCTIONS.map((name) => `functions/${name}.ts`),
    outdir: join(out, "functions"),
    outExtension: { ".js": ".mjs" },
    minify: true,
    keepNames: true,
  }),
]);
