import { spawnSync } from "node:child_process";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "@jest/globals";
import { createUser } from "@nats-io/nkeys";
import { seedOf } from "../lab/keys.ts";
import { fileSecrets } from "../lib/adapters/local/secrets.ts";
import { sqliteJournal } from "../lib/adapters/local/sqlite-journal.ts";
import { loadConfig } from "../lib/config/config.ts";
import { findFiles } from "../lib/files/find-files.ts";
import { expandHome, resolvePath } from "../lib/files/paths.ts";
import { eachLine } from "../lib/files/read-lines.ts";
import { readStream, readText } from "../lib/files/read-text.ts";
import { writeWhole } from "../lib/files/write-text.ts";
import { fakeClock } from "./support/fakes/clock.ts";

const folder = mkdtempSync(join(tmpdir(), "relight-files-"));
afterAll(() => rmSync(folder, { recursive: true }));
const path = (name: string): string => join(folder, name);

/** Only machines other than Windows have these. */
const isPosix = process.platform !== "win32";

describe("files that people name", () => {
  test("are in the home folder after a leading ~", () => {
    expect(expandHome("~/a/b")).toBe(join(homedir(), "a/b"));
    expect(expandHome("~")).toBe(homedir());
    expect(expandHome("a~/b")).toBe("a~/b");
    expect(expandHome("~other/b")).toBe("~other/b");
    expect(resolvePath("/base", "b")).toBe("/base/b");
    expect(resolvePath("/base", "~/b")).toBe(join(homedir(), "b"));
  });

  test("are read up to a maximum size", () => {
    writeFileSync(path("text"), "Größe\n");
    expect(readText(path("text"))).toBe("Größe\n");
    expect(() => readText(path("text"), 3)).toThrow("is larger than");
    expect(() => readText(path("gone"))).toThrow("does not exist");
    expect(() => readText(folder)).toThrow("is a folder");
  });

  test("are read from standard input up to a maximum size", async () => {
    expect(await readStream(Readable.from([Buffer.from("a"), Buffer.from("b")]))).toBe("ab");
    const endless = Readable.from(
      (function* () {
        for (;;) yield Buffer.alloc(65_536);
      })(),
    );
    await expect(readStream(endless)).rejects.toThrow("is larger than 16 MiB");
  });

  test.each(isPosix ? ["/dev/zero", "/dev/urandom"] : [])("are not %s, which never ends", async (device) => {
    expect(() => readText(device)).toThrow("is a device");
    await expect(loadConfig(device)).rejects.toMatchObject({ code: "config.not_found" });
    await expect(fileSecrets("/").read(`file:${device}`)).rejects.toMatchObject({ code: "secret.invalid_reference" });
  });
});

test("a key that every user of the machine can read is reported", async () => {
  const exposed: string[] = [];
  const secrets = fileSecrets(folder, (file) => exposed.push(file));
  writeFileSync(path("open.nk"), seedOf(createUser()));
  writeFileSync(path("own.nk"), seedOf(createUser()));
  writeFileSync(path("operator.jwt"), "eyJ.public.claims");
  chmodSync(path("open.nk"), 0o644);
  chmodSync(path("own.nk"), 0o640);
  chmodSync(path("operator.jwt"), 0o644);
  for (const name of ["open.nk", "own.nk", "operator.jwt"]) await secrets.read(`file:${name}`);
  expect(exposed).toEqual(isPosix ? [path("open.nk")] : []);
});

describe("the journal's file", () => {
  const open = (place: string) => sqliteJournal({ path: place, clock: fakeClock(), scrub: (data) => data });

  test("is created with its folders, readable only by its owner", async () => {
    await using _journal = await open(path("a/b/relight.sqlite"));
    expect(statSync(path("a/b/relight.sqlite")).mode & 0o777).toBe(0o600);
    expect(statSync(path("a")).mode & 0o777).toBe(0o700);
  });

  test("is never a symbolic link, whose target stays unchanged", async () => {
    writeFileSync(path("target"), "");
    chmodSync(path("target"), 0o644);
    symlinkSync(path("target"), path("link.sqlite"));
    symlinkSync(path("nothing"), path("dangling.sqlite"));
    for (const link of ["link.sqlite", "dangling.sqlite"])
      await expect(open(path(link))).rejects.toMatchObject({
        code: "journal.unavailable",
        message: expect.stringContaining("symbolic link"),
      });
    expect(statSync(path("target"))).toMatchObject({ mode: 0o100644, size: 0 });
    expect(lstatSync(path("nothing"), { throwIfNoEntry: false })).toBeUndefined();
  });

  test("may be in a folder that is a link", async () => {
    mkdirSync(path("real"));
    symlinkSync(path("real"), path("folder"));
    await using _journal = await open(path("folder/relight.sqlite"));
    expect(statSync(path("real/relight.sqlite")).isFile()).toBe(true);
  });

  // Node's recursive mkdir did not return there; a pipe without a reader blocks.
  const pipe = path("pipe.sqlite");
  if (isPosix) spawnSync("mkfifo", [pipe]);
  const strange = isPosix ? ["/proc/x/y.sqlite", "/proc/self/mem", "/dev/null", "/dev/zero", "/dev/null/x", pipe] : [];
  test.each([...strange, folder])("is refused at once at %s", async (place) => {
    await expect(open(place)).rejects.toMatchObject({ code: "journal.unavailable" });
  });
});

describe("a file that is written whole", () => {
  const place = mkdtempSync(join(folder, "whole-"));

  test("only its owner can read; it replaces no other unless it may, and leaves nothing else behind", () => {
    const file = join(place, "a.yaml");
    expect(writeWhole(file, "one", { replace: false })).toBe(true);
    if (isPosix) expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(writeWhole(file, "two", { replace: false })).toBe(false);
    expect(readText(file)).toBe("one");
    expect(writeWhole(file, "three", { replace: true })).toBe(true);
    expect(readText(file)).toBe("three");
    expect(() => writeWhole(join(place, "none", "b"), "b", { replace: true })).toThrow(/ENOENT/);
    expect(readdirSync(place)).toEqual(["a.yaml"]);
  });
});

describe("names stand for files", () => {
  const tree = path("tree");
  for (const name of ["a.conf", "b.txt", "sub/c.conf", "sub/deeper/d.CONF", ".git/e.conf", "node_modules/f.conf"]) {
    mkdirSync(join(tree, name, ".."), { recursive: true });
    writeFileSync(join(tree, name), "");
  }
  symlinkSync(join(tree, "sub"), join(tree, "link"));
  const inTree = (...names: string[]) =>
    findFiles(
      names.map((name) => join(tree, name)),
      /[.]conf$/i,
    ).map((found) => `${found.path.slice(tree.length + 1)}${found.named ? " named" : ""}`);

  test.each<[string, string[], string[]]>([
    ["a file", ["b.txt"], ["b.txt named"]],
    ["a folder", [""], ["a.conf", "sub/c.conf", "sub/deeper/d.CONF"]],
    ["a pattern", ["*.conf"], ["a.conf"]],
    ["a pattern for any folders", ["sub/**/*.{conf,CONF}"], ["sub/c.conf", "sub/deeper/d.CONF"]],
    ["a pattern that matches a folder", ["su*"], ["sub/c.conf", "sub/deeper/d.CONF"]],
    ["a file twice", ["a.conf", "*.conf"], ["a.conf named"]],
    ["what is not there", ["none.conf", "*.none"], ["none.conf named", "*.none named"]],
  ])("%s", (_what, names, files) => {
    expect(inTree(...names)).toEqual(files);
  });

  test("standard input stays standard input", () => {
    expect(findFiles(["-"], /x/)).toEqual([{ path: "-", named: true }]);
  });
});

describe("lines", () => {
  const linesOf = async (bytes: Buffer | string): Promise<string[]> => {
    const lines: string[] = [];
    writeFileSync(path("lines"), bytes);
    await eachLine(path("lines"), (line) => void lines.push(line));
    return lines;
  };

  test("are read from plain and packed files, whatever those are called", async () => {
    const text = "one\r\nträge\nthree";
    for (const bytes of [text, gzipSync(text), Buffer.concat([gzipSync("one\n"), gzipSync("träge\nthree")])])
      expect(await linesOf(bytes)).toEqual(["one", "träge", "three"]);
    expect(await linesOf("")).toEqual([""]);
  });

  test("are cut where they are far too long, also across reads", async () => {
    const [line = "", next] = await linesOf(`${"x".repeat(200_000)}\nnext`);
    expect([line.length, next]).toEqual([4_096, "next"]);
  });

  test("of a damaged packed file are an error", async () => {
    await expect(linesOf(gzipSync("one\n".repeat(1_000)).subarray(0, 30))).rejects.toThrow(/unexpected end/);
  });
});
