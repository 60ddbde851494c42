import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { debianMirror, parsePackage } from "../lab/debian.ts";
import { reapServers, startServer } from "../lab/nats-server.ts";
import { serverBinary, versionOf } from "../lab/server-binaries.ts";
import { waitFor } from "../lab/wait.ts";
import { environment } from "./support/relight.ts";

/** The other tests depend on the lab, so it has a few of its own. */

describe("sources of servers", () => {
  test.each([
    ["one line", "deb http://a.example/debian bookworm main\n", "http://a.example/debian"],
    [
      "one line with options",
      "deb [arch=amd64] http://a.example/debian/ sid main contrib\n",
      "http://a.example/debian",
    ],
    [
      "deb822",
      "Types: deb\nURIs: http://b.example/debian\nSuites: trixie\nComponents: main\n",
      "http://b.example/debian",
    ],
    ["security only", "Types: deb\nURIs: http://b.example/debian-security\nComponents: main\n", undefined],
    ["another vendor's", "deb https://c.example/apt sdk main\n", undefined],
    ["nothing", "", undefined],
  ])("apt sources: %s", (_form, text, mirror) => {
    expect(debianMirror(text)).toBe(mirror);
  });

  test("a package index", () => {
    const index =
      "Package: nats-server-x\nVersion: 9\n\nPackage: nats-server\nVersion: 2.9.10-1\nFilename: pool/n.deb\nSHA256: ab\n\n";
    expect(parsePackage(index, "nats-server")).toEqual({
      version: "2.9.10-1",
      file: "pool/n.deb",
      sha256: "ab",
    });
    expect(parsePackage(index, "other")).toBeUndefined();
  });

  test("a version that nobody has: every source, why it failed, and how to fix it", async () => {
    await expect(serverBinary("0.0.1")).rejects.toThrow(
      /Debian package: .*\n.*official release: .*\n.*Docker image: [\s\S]*NATS_SERVER.* copy it to .*0\.0\.1/,
    );
  });

  test("of several versions each that nobody has is named", () => {
    const script = join(import.meta.dirname, "..", "lab", "server-binaries.ts");
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, "0.0.1", "2.10.27", "0.0.2"], {
      encoding: "utf8",
      env: environment(),
    });
    expect({ status, stdout }).toEqual({ status: 1, stdout: expect.stringMatching(/^nats-server 2\.10\.27: .*\n$/) });
    expect(stderr.match(/could not get nats-server \S+/g)).toEqual([
      "could not get nats-server 0.0.1:",
      "could not get nats-server 0.0.2:",
    ]);
  });

  test("an invalid binary has no version", async () => {
    expect(await versionOf("/nowhere/nats-server")).toBeUndefined();
  });
});

describe("a server of the lab", () => {
  const config = (folder: string): string => `jetstream { store_dir: "${folder}/js" }`;

  test("starts, is killed, starts again on its port, and is gone when disposed", async () => {
    const { path: binary } = await serverBinary("2.15.2");
    let pid: number | undefined;
    {
      await using server = await startServer({ binary, config });
      const { url } = server;
      await server.kill();
      expect(server.pid()).toBeUndefined();
      await server.start();
      expect(server.url).toBe(url);
      pid = server.pid();
      expect(pid).toBeGreaterThan(0);
    }
    expect(() => process.kill(pid ?? 0, 0)).toThrow();
  });

  test("reports why it can't start", async () => {
    const { path: binary } = await serverBinary("2.15.2");
    await expect(startServer({ binary, config: () => "no such thing" })).rejects.toThrow(/nats-server ended at once/);
  });

  test("of a killed starter is reaped by the next one", async () => {
    const { path: binary } = await serverBinary("2.15.2");
    const module = join(import.meta.dirname, "..", "lab", "nats-server.ts");
    const script = `import { startServer } from ${JSON.stringify(module)};
      const server = await startServer({ binary: ${JSON.stringify(binary)}, config: () => "" });
      console.log(server.pid());
      setInterval(() => {}, 1000);`;
    const starter = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
      env: environment(),
    });
    const pid = await new Promise<number>((resolve) => starter.stdout.once("data", (line) => resolve(Number(line))));
    expect(pid).toBeGreaterThan(0);
    starter.kill("SIGKILL");
    await waitFor("the starter to end", () => starter.signalCode !== null);
    expect(await reapServers()).toBeGreaterThanOrEqual(1);
    await waitFor("the server to end", () => {
      try {
        process.kill(pid, 0);
        return false;
      } catch {
        return true;
      }
    });
  });
});

test("the quickstart prints only what it checked, and leaves nothing running", async () => {
  const script = join(import.meta.dirname, "..", "lab", "quickstart.ts");
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], {
    encoding: "utf8",
    timeout: 55_000,
    env: environment(),
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toMatch(/publishing fails: no responders[\s\S]*relight heal says: healed[\s\S]*no message was lost/);
  expect(stdout).not.toContain("✗ this is not so");
  const readme = readFileSync(join(import.meta.dirname, "..", "README.md"), "utf8");
  const [, shown = ""] = /```\n(Every usual check[\s\S]*?)```/.exec(readme) ?? [];
  const withoutSeconds = (text: string): string[] => text.replaceAll(/^ *\d+\.\d s/gm, "").split("\n");
  // The README shows an excerpt of this output.
  expect(withoutSeconds(stdout)).toEqual(expect.arrayContaining(withoutSeconds(shown)));
  expect(shown).toContain("relight verify APP");
  // Its server is gone with it, so a killed process would leave nothing.
  expect(await reapServers()).toBe(0);
});
