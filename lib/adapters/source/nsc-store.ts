import { stat } from "node:fs/promises";
import { join } from "node:path";
import { RelightError } from "../../errors.ts";
import type { JwtCodec } from "../../ports/keys.ts";
import type { SourceEntry } from "../../ports/source.ts";
import { namesIn, readJwt } from "./jwt-folder.ts";

export interface NscSettings {
  /** nsc's folder, its `stores` folder, or one operator's folder in that. */
  readonly folder: string;
  readonly codec: JwtCodec;
  /** The operator's name. If the store has several operators, only the one with this name is read. */
  readonly operatorName: string;
}

/**
 * The accounts of an nsc store: `stores/OPERATOR/accounts/NAME/NAME.jwt`.
 * @throws RelightError `source.unavailable` if the store can't be read or is not an nsc store.
 */
export async function* nscStore({ folder, codec, operatorName }: NscSettings): AsyncIterable<SourceEntry> {
  for (const operator of await operatorFolders(folder, operatorName)) {
    const accounts = join(operator, "accounts");
    for (const name of await namesIn(accounts)) {
      const place = join(accounts, name, `${name}.jwt`);
      // Ignore other files (`.DS_Store`).
      const entry = (await isFolder(join(accounts, name))) ? await readJwt(place, codec) : undefined;
      if (entry !== undefined) yield entry;
    }
  }
}

async function operatorFolders(folder: string, operatorName: string): Promise<readonly string[]> {
  if (await isFolder(join(folder, "accounts"))) return [folder];
  const stores = (await isFolder(join(folder, "stores"))) ? join(folder, "stores") : folder;
  const names = await namesIn(stores);
  const checked = await Promise.all(names.map((name) => isFolder(join(stores, name, "accounts"))));
  const operators = names.filter((_name, index) => checked[index]);
  if (operators.length === 0)
    throw new RelightError("source.unavailable", `${folder} is not an nsc store: it contains no OPERATOR/accounts`, {
      details: { folder },
    });
  const own = operators.filter((name) => name === operatorName);
  return (own.length > 0 ? own : operators).map((name) => join(stores, name));
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
