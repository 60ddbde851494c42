/**
 * Bundles the command and the functions, or with `--command` the command alone: `node scripts/build.ts`. One file each,
 * without node_modules, and chunks with what only some runs need (docs/decisions/0017). Does nothing if nothing has changed.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { builtinModules } from "node:module";
import { dirname, join } from "node:path";
import { type BuildOptions, build, type Plugin } from "esbuild";
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

const BUILTIN = new RegExp(`^(node:.*|${builtinModules.join("|")})$`);

/**
 * Bundles require Node's own modules. An import would read all exports of a module, and some load others when they are read:
 * `http` a WebSocket with another HTTP client (30 ms of CPU), `fs` its streams (10 ms; Node 22 and 24). What is imported and
 * not used is not loaded (the AWS SDK imports `http2`, 15 ms).
 */
const builtins: Plugin = {
  name: "builtins",
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: BUILTIN }, ({ kind, path }) => {
      const name = path.startsWith("node:") ? path : `node:${path}`;
      // A chunk made of a required module would only have a default export.
      if (kind === "require-call" || kind === "dynamic-import") return { path: name, external: true };
      return { path: name, namespace: "required", sideEffects: false };
    });
    onLoad({ filter: /.*/, namespace: "required" }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};

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
  plugins: [builtins],
};

/** What every run on AWS uses. */
const ALWAYS = [
  "adapters/aws/journal/dynamodb-journal",
  "adapters/aws/telemetry/emf-metrics",
  "adapters/aws/telemetry/xray-tracer",
];
const SECRETS = "adapters/aws/secrets/secrets-manager";
const QUEUE = "adapters/aws/queue/sqs-jobs";
const CLUSTER = ["adapters/nats/probes/cluster", "adapters/nats/account/system-user"];
const JOB = [SECRETS, ...CLUSTER, "adapters/nats/streams/account-view", "usecases/remediate/remediate"];

/**
 * The functions, and the modules that each of their runs imports on demand: they are loaded with the function in Lambda's
 * init phase, which has a whole CPU instead of a third. Everything else (the Kubernetes client, KMS, SNS, EventBridge, other
 * sign-in methods) is loaded only by runs that need it.
 */
const FUNCTIONS: Readonly<Record<string, readonly string[]>> = {
  sweep: [SECRETS, QUEUE, ...CLUSTER, "compose/run-sweep"],
  remediate: JOB,
  "issuer-webhook": [SECRETS, QUEUE, "adapters/issuer/standard-webhooks", "usecases/orders/accept-delivery"],
  manual: JOB,
  "rotate-credentials": [
    SECRETS,
    "adapters/aws/secrets/rotating-secret",
    ...CLUSTER,
    "usecases/orders/rotate-credentials",
  ],
  escalate: [SECRETS, "adapters/aws/pages/page-events", "usecases/paging/send-page"],
  api: [],
};

/** Own code that imports on demand. */
const OWN = /\/(lib|functions)\/.*\.ts$/;
const ON_DEMAND = /\bimport\("(\.[^"]+)"\)/g;

/** Loads these modules with the function although they are imported on demand; fewer files are loaded faster, too. */
const loadedEarly = (modules: readonly string[]): Plugin => ({
  name: "loaded-early",
  setup: ({ onLoad }) => {
    const early = new Set(modules.map((module) => join(root, "lib", `${module}.ts`)));
    onLoad({ filter: OWN }, ({ path }) => {
      const imports: string[] = [];
      const contents = readFileSync(path, "utf8").replace(ON_DEMAND, (text, name: string) => {
        if (!early.has(join(dirname(path), name))) return text;
        imports.push(`import * as early${imports.length} from "${name}";`);
        return `Promise.resolve(early${imports.length - 1})`;
      });
      return { contents: [contents, ...imports].join("\n"), loader: "ts" };
    });
  },
});

/** The function, and its chunks in a folder with its name, so a zip contains no other function's chunks. */
function bundleFunction(name: string, uses: readonly string[]): Promise<unknown> {
  return build({
    ...common,
    entryPoints: [{ in: `functions/${name}.ts`, out: name }],
    outdir: join(out, "functions"),
    chunkNames: `${name}/[name]-[hash]`,
    outExtension: { ".js": ".mjs" },
    splitting: true,
    minify: true,
    plugins: [builtins, loadedEarly([...ALWAYS, ...uses])],
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

/** Builds these functions and the command, and replaces the old bundles. */
async function buildAll(madeOf: string, functions: typeof FUNCTIONS): Promise<void> {
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
      ...Object.entries(functions).map(([name, uses]) => bundleFunction(name, uses)),
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

const everything = sources();
const built = builtFrom();
if (process.argv.includes("--command")) {
  const command = `${everything} command`;
  if (built !== everything && built !== command) await buildAll(command, {});
} else if (built !== everything) {
  await buildAll(everything, FUNCTIONS);
}
