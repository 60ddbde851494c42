import { globSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { expandHome } from "./paths.ts";

export interface FoundFile {
  readonly path: string;
  /** Whether a person named this very file; otherwise it was found in a folder or by a pattern. */
  readonly named: boolean;
}

/** To look at more is a mistake, such as `/`. */
const MOST_FILES = 100_000;
const PATTERN = /[*?[{]/;

/**
 * The files that names stand for, each once and in order: a file itself, a folder for the files in it and below whose
 * names match `inFolders`, a pattern (`conf/*.conf`, `**` for any folders) for what it matches. A name that is nothing
 * stays, so that whoever reads it says so; `-` stays, too.
 * @throws Error whose message follows the name: "has more than 100000 files"
 */
export function findFiles(names: readonly string[], inFolders: RegExp): readonly FoundFile[] {
  const found = names.flatMap((name) => filesOf(name, inFolders));
  const seen = new Set<string>();
  return found.filter(({ path }) => !seen.has(path) && seen.add(path));
}

function filesOf(name: string, inFolders: RegExp): readonly FoundFile[] {
  const path = expandHome(name);
  const kind = name === "-" ? undefined : statSync(path, { throwIfNoEntry: false });
  if (kind?.isDirectory()) return walk(path, inFolders).map(found);
  if (name === "-" || kind !== undefined || !PATTERN.test(name)) return [{ path, named: true }];
  const matches = globSync(path).sort();
  if (matches.length === 0) return [{ path, named: true }];
  return matches.flatMap((match) => (isFolder(match) ? walk(match, inFolders) : [match])).map(found);
}

const found = (path: string): FoundFile => ({ path, named: false });

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** Leaves out hidden folders and installed packages, and does not follow links to folders. */
function walk(top: string, names: RegExp): readonly string[] {
  const files: string[] = [];
  const folders = [top];
  let seen = 0;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const item of readdirSync(folder, { withFileTypes: true })) {
      seen += 1;
      if (seen > MOST_FILES) throw new Error(`has more than ${MOST_FILES} files`);
      const path = join(folder, item.name);
      if (item.isDirectory() && !item.name.startsWith(".") && item.name !== "node_modules") folders.push(path);
      else if (names.test(item.name) && !isFolder(path)) files.push(path);
    }
  }
  return files.sort();
}
