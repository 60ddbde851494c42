/**
 * Finds or fetches nats-server binaries: `node lab/server-binaries.ts 2.10.27 2.15.2`, or, without versions, all that
 * `npm test` needs. For the quickstart and the tests; Relight itself needs none.
 */
import { access, chmod, copyFile, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { arch, platform, tmpdir } from "node:os";
import { join } from "node:path";
import { fetchFromDebian } from "./debian.ts";
import { fetchChecked, fetchFile, output } from "./download.ts";

/** The tested versions with the defect: an account that expired is dead after it is renewed (#6806). */
export const WITH_DEFECT = [
  // The newest 2.9. Survives a configuration update of what lost its Raft node, which revives it.
  "2.9.25",
  // Panics at such an update, and at any election of the meta leader (#5700).
  "2.10.20",
  // The last 2.10 with the defect. Panics at such an update only.
  "2.10.27",
] as const;

/** The versions on which `npm test` runs: on each servers behave differently. `npm run matrix` tries the others. */
export const VERSIONS = [
  ...WITH_DEFECT,
  // Lives on, and panics at such an update.
  "2.12.5",
  // The newest. Survives such an update, which revives it.
  "2.15.2",
] as const;
export type Version = (typeof VERSIONS)[number];

/** A few tests are about what the oldest server in use does, and 2.9.25 no longer does. Debian has it. */
const NEEDED = [...VERSIONS, "2.9.10"];

export interface Binary {
  readonly path: string;
  readonly version: string;
}

const CACHE = process.env["RELIGHT_CACHE"] ?? join(import.meta.dirname, "..", ".cache");

type Source = readonly [name: string, fetch: (version: string, folder: string) => Promise<string>];

/** Sources of server binaries, in the order in which they are tried. */
const SOURCES: readonly Source[] = [
  ["Debian package", fetchFromDebian],
  ["official release", fetchRelease],
  ["Docker image", fetchFromDocker],
  ["Go module", buildWithGo],
];

/**
 * A server of exactly this version: from `NATS_SERVER` or the PATH, otherwise from the cache, otherwise downloaded.
 * @throws Error that says what was tried, why it failed, and how to fix it.
 */
export async function serverBinary(version: string, say: (line: string) => void = () => undefined): Promise<Binary> {
  const installed = [process.env["NATS_SERVER"], "nats-server"].filter((path) => path !== undefined);
  for (const path of installed) if ((await versionOf(path)) === version) return { path, version };

  const cached = join(CACHE, "nats-server", version, "nats-server");
  if ((await versionOf(cached)) === version) return { path: cached, version };

  const failures: string[] = [];
  for (const [name, fetchFrom] of SOURCES) {
    say(`nats-server ${version}: trying the ${name} …`);
    try {
      await install(await temporary(), cached, (folder) => fetchFrom(version, folder));
      if ((await versionOf(cached)) === version) return { path: cached, version };
      failures.push(`${name}: has another version`);
    } catch (error) {
      failures.push(`${name}: ${(error as Error).message.trim().split("\n").at(-1)}`);
    }
  }
  throw new Error(
    `could not get nats-server ${version}:\n${failures.map((line) => `  - ${line}`).join("\n")}\n` +
      `Put one on the PATH, set NATS_SERVER to its path, copy it to ${cached}, or install Docker or Go, and run this again.`,
  );
}

/** The version that a binary reports; undefined if it does not run. */
export async function versionOf(path: string): Promise<string | undefined> {
  const text = await output(path, ["--version"]).catch(() => "");
  return /v(\d+\.\d+\.\d+\S*)/.exec(text)?.[1];
}

const temporary = (): Promise<string> => mkdtemp(join(tmpdir(), "relight-server-"));

/** Moves the binary into the cache atomically, because several processes may do so at once. */
async function install(folder: string, target: string, fetchInto: (folder: string) => Promise<string>): Promise<void> {
  try {
    const binary = await fetchInto(folder);
    await access(binary);
    await mkdir(join(target, ".."), { recursive: true });
    const staged = `${target}.${process.pid}`;
    await copyFile(binary, staged);
    await chmod(staged, 0o755);
    await rename(staged, target);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function fetchRelease(version: string, folder: string): Promise<string> {
  const cpu = { x64: "amd64", arm64: "arm64" }[arch() as "x64" | "arm64"] ?? arch();
  const name = `nats-server-v${version}-${platform()}-${cpu}`;
  const release = `https://github.com/nats-io/nats-server/releases/download/v${version}`;
  const sums = (await fetchFile(`${release}/SHA256SUMS`)).toString();
  const sum = new RegExp(`^([0-9a-f]{64})\\s+\\*?${name}\\.tar\\.gz$`, "m").exec(sums)?.[1];
  if (sum === undefined) throw new Error(`the release has no ${name}`);
  const archive = join(folder, "nats-server.tar.gz");
  await fetchChecked(`${release}/${name}.tar.gz`, sum, archive);
  await output("tar", ["-xzf", archive, "-C", folder]);
  return join(folder, name, "nats-server");
}

async function fetchFromDocker(version: string, folder: string): Promise<string> {
  if (platform() !== "linux") throw new Error("the image contains a Linux binary");
  const container = (await output("docker", ["create", `nats:${version}`])).trim();
  const binary = join(folder, "nats-server");
  try {
    await output("docker", ["cp", `${container}:/nats-server`, binary]);
  } finally {
    await output("docker", ["rm", container]);
  }
  return binary;
}

async function buildWithGo(version: string, folder: string): Promise<string> {
  const env = { ...process.env, GOBIN: folder };
  await output("go", ["install", `github.com/nats-io/nats-server/v2@v${version}`], { env });
  return join(folder, "nats-server");
}

if (process.argv[1] === import.meta.filename) {
  const asked = process.argv.slice(2);
  for (const version of asked.length > 0 ? asked : NEEDED)
    await serverBinary(version, (line) => console.error(line)).then(
      ({ path }) => console.log(`nats-server ${version}: ${path}`),
      (error: Error) => {
        console.error(error.message);
        // The others are fetched, too: all that is missing is named at once.
        process.exitCode = 1;
      },
    );
}
