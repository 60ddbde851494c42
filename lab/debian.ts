import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fetchChecked, fetchFile, output } from "./download.ts";

/** The Debian releases that package the server versions on which Relight is tested. */
export const DEBIAN_SUITES: Readonly<Record<string, string>> = {
  "2.9.10": "bookworm",
  "2.10.27": "trixie",
  "2.15.1": "sid",
};

/** Unpacks nats-server from the Debian archive that this machine's apt uses into `folder`, and returns the binary's path. */
export async function fetchFromDebian(version: string, folder: string): Promise<string> {
  const suite = DEBIAN_SUITES[version];
  if (suite === undefined) throw new Error(`no Debian release packages ${version}`);
  const mirror = await aptMirror();
  const architecture = (await output("dpkg", ["--print-architecture"])).trim();
  const index = join(folder, "Packages.xz");
  await writeFile(index, await fetchFile(`${mirror}/dists/${suite}/main/binary-${architecture}/Packages.xz`));
  const entry = parsePackage(await output("xz", ["-dc", index]), "nats-server");
  if (!entry?.version.startsWith(`${version}-`))
    throw new Error(`Debian ${suite} has ${entry?.version ?? "none"}, not ${version}`);
  const archive = join(folder, "nats-server.deb");
  await fetchChecked(`${mirror}/${entry.file}`, entry.sha256, archive);
  await output("dpkg", ["-x", archive, folder]);
  return join(folder, "usr", "sbin", "nats-server");
}

async function aptMirror(): Promise<string> {
  const folder = "/etc/apt";
  const lists = join(folder, "sources.list.d");
  const names = await readdir(lists).catch(() => []);
  const files = [join(folder, "sources.list"), ...names.map((name) => join(lists, name))];
  const texts = await Promise.all(
    files.filter((name) => /\.(list|sources)$/.test(name)).map((name) => readFile(name, "utf8").catch(() => "")),
  );
  const mirror = texts.map(debianMirror).find((found) => found !== undefined);
  if (mirror === undefined) throw new Error("apt has no Debian archive configured");
  return mirror;
}

/** The Debian archive in apt sources, in the old format (`deb URI suite main`) or the new one (`URIs:`). */
export function debianMirror(text: string): string | undefined {
  const old = [...text.matchAll(/^deb(?:\s+\[[^\]]*\])?\s+(\S+)\s+\S+\s+.*\bmain\b/gm)].map(([, uri]) => uri);
  const stanzas = text.split(/\n\s*\n/).filter((stanza) => /^Components:.*\bmain\b/m.test(stanza));
  const modern = stanzas.map((stanza) => /^URIs:\s*(\S+)/m.exec(stanza)?.[1]);
  const mirrors = [...old, ...modern].filter((uri) => uri !== undefined);
  return mirrors.find((uri) => /\/debian\/?$/.test(uri))?.replace(/\/$/, "");
}

/** One package of a Debian `Packages` index. */
export function parsePackage(index: string, name: string) {
  const stanza = index.split("\n\n").find((candidate) => candidate.startsWith(`Package: ${name}\n`));
  const field = (key: string): string => new RegExp(`^${key}: (.+)$`, "m").exec(stanza ?? "")?.[1] ?? "";
  if (stanza === undefined) return undefined;
  return { version: field("Version"), file: field("Filename"), sha256: field("SHA256") };
}
