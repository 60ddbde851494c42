import { accessSync, constants, readdirSync, realpathSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { type JsonObject, parseJsonObject } from "../../domain/time/json.ts";
import { expandHome } from "../../files/paths.ts";
import { readText } from "../../files/read-text.ts";

/**
 * Where nsc keeps its stores and keys on this machine, by the rules of nsc (its home/home.go and cmd/defaults.go).
 * Anything that can't be read counts as not there.
 */
export interface NscHome {
  /** Folders with one folder for each operator; also those that do not exist. */
  readonly stores: readonly string[];
  /** Existing folders with `keys` and `creds` in them. */
  readonly keystores: readonly string[];
  /** The name of the operator that nsc works with. */
  readonly current?: string;
}

/** An operator's folder in a store. */
export interface OperatorFolder {
  readonly folder: string;
  readonly jwtFile: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @param folder nsc's folder, its stores or one operator's folder, instead of the usual places for stores */
export function nscHome(env: Environment, folder?: string, home: string = homedir()): NscHome {
  const configHome = env["XDG_CONFIG_HOME"] || join(home, ".config");
  const dataHome = join(env["XDG_DATA_HOME"] || join(home, ".local", "share"), "nats", "nsc");
  const configs = [env["NSC_HOME"] ?? "", join(configHome, "nats", "nsc"), join(home, ".nsc")].filter(Boolean);
  const config = configs.map((place) => readJson(join(place, "nsc.json"))).find((found) => found !== undefined) ?? {};
  const text = (key: string): string[] =>
    [config[key]].filter((value): value is string => typeof value === "string" && value !== "");
  const usual = [...text("store_root"), join(dataHome, "stores"), join(home, ".nsc", "nats")];
  const own = folder === undefined ? undefined : resolve(expandHome(folder));
  const stores = own === undefined ? usual : [own, join(own, "stores")];
  // Of an operator's folder the keys are beside its store.
  const near = own === undefined ? stores : [...stores, dirname(own)];
  const beside = near.flatMap((store) => [store, join(store, "keys"), join(dirname(store), "keys")]);
  const keystores = [env["NKEYS_PATH"] ?? "", ...beside, join(dataHome, "keys"), join(home, ".nkeys")].filter(Boolean);
  const [current] = text("operator");
  return {
    stores: [...new Set(stores.map((store) => resolve(store)))],
    keystores: existing(keystores.filter((store) => isFolder(join(store, "keys")) || isFolder(join(store, "creds")))),
    ...(current === undefined ? {} : { current }),
  };
}

/** The operators in the stores, each once. With `folder` that is one operator's, only that one. */
export function operatorFolders({ stores }: Pick<NscHome, "stores">): readonly OperatorFolder[] {
  const [first = ""] = stores;
  const isOne = isFolder(join(first, "accounts"));
  const folders = isOne
    ? [first]
    : existing(stores).flatMap((store) => namesIn(store).map((name) => join(store, name)));
  return existing(folders).flatMap((folder) => {
    const [file] = namesIn(folder).filter((name) => name.endsWith(".jwt"));
    return file === undefined ? [] : [{ folder, jwtFile: join(folder, file) }];
  });
}

/** The files of an operator's accounts. */
export const accountFiles = (folder: string): readonly string[] =>
  namesIn(join(folder, "accounts"))
    .map((name) => join(folder, "accounts", name, `${name}.jwt`))
    .filter(isReadable);

/** The file with the seed of a public key, if a keystore has it and this user may read it. */
export function seedFile(keystores: readonly string[], publicKey: string): string | undefined {
  const place = join("keys", publicKey.slice(0, 1), publicKey.slice(1, 3), `${publicKey}.nk`);
  return keystores.map((store) => join(store, place)).find(isReadable);
}

/** The credentials files of the users of an account; of all accounts if none is named. */
export function credentialsFiles(keystores: readonly string[], operator: string, account?: string): readonly string[] {
  return keystores.flatMap((store) => {
    const place = join(store, "creds", operator);
    const accounts = account === undefined ? namesIn(place) : [account];
    return accounts.flatMap((name) =>
      namesIn(join(place, name))
        .filter((file) => file.endsWith(".creds"))
        .map((file) => join(place, name, file)),
    );
  });
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

/** Those that exist, each once, even if it has several paths. */
function existing(folders: readonly string[]): readonly string[] {
  const real = new Map<string, string>();
  for (const folder of folders.filter(isFolder)) {
    const path = realpathSync(folder);
    if (!real.has(path)) real.set(path, resolve(folder));
  }
  return [...real.values()];
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

function readJson(file: string): JsonObject | undefined {
  try {
    return parseJsonObject(readText(file));
  } catch {
    return undefined;
  }
}
