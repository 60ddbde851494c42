import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createAccount, createOperator, type KeyPair } from "@nats-io/nkeys";
import { accountClaims, JETSTREAM, operatorClaims, UNLIMITED } from "../../lab/claims.ts";
import { newCredentials, seedOf, signClaims } from "../../lab/keys.ts";

/** Stores and keystores in the layout that nsc 2.12 writes; compared with it by hand. */

export interface NscOperatorOptions {
  readonly name?: string;
  readonly keys?: NscKeys;
  readonly strict?: boolean;
  readonly serviceUrls?: readonly string[];
  /** Which seeds the keystore has; by default all. */
  readonly seeds?: readonly (keyof NscKeys)[];
  /** Users of the system account with credentials; by default `sys`. */
  readonly users?: readonly string[];
}

export interface NscKeys {
  readonly operator: KeyPair;
  readonly operatorSigningKey: KeyPair;
  readonly systemAccount: KeyPair;
  readonly account: KeyPair;
  readonly accountSigningKey: KeyPair;
}

export const newNscKeys = (): NscKeys => ({
  operator: createOperator(),
  operatorSigningKey: createOperator(),
  systemAccount: createAccount(),
  account: createAccount(),
  accountSigningKey: createAccount(),
});

export interface NscOperator {
  readonly keys: NscKeys;
  /** The operator's folder. */
  readonly folder: string;
  readonly seedFile: (key: keyof NscKeys) => string;
  readonly credentials: (user: string) => string;
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text, { mode: 0o600 });
}

/** Adds an operator with the accounts SYS and APP to the stores and keys below `data`. */
export function addNscOperator(data: string, options: NscOperatorOptions = {}): NscOperator {
  const { name = "LAB", keys = newNscKeys(), strict = false, serviceUrls, seeds, users = ["sys"] } = options;
  const folder = join(data, "stores", name);
  const store = join(data, "keys");
  const claims = operatorClaims(keys, strict);
  const nats = { ...claims.nats, ...(serviceUrls && { operator_service_urls: serviceUrls }) };
  write(join(folder, ".nsc"), JSON.stringify({ managed: false, name, kind: "operator", version: "1" }));
  write(join(folder, `${name}.jwt`), signClaims({ ...claims, name, nats }, keys.operator));
  for (const [account, key, limits] of [
    ["SYS", keys.systemAccount, UNLIMITED],
    ["APP", keys.account, { ...UNLIMITED, ...JETSTREAM }],
  ] as const) {
    const token = signClaims(accountClaims(account, key, keys.accountSigningKey, limits), keys.operatorSigningKey);
    write(join(folder, "accounts", account, `${account}.jwt`), token);
  }
  const seedFile = (which: keyof NscKeys): string => {
    const id = keys[which].getPublicKey();
    return join(store, "keys", id.slice(0, 1), id.slice(1, 3), `${id}.nk`);
  };
  for (const which of seeds ?? (Object.keys(keys) as (keyof NscKeys)[])) write(seedFile(which), seedOf(keys[which]));
  const credentials = (user: string): string => join(store, "creds", name, "SYS", `${user}.creds`);
  for (const user of users) write(credentials(user), newCredentials(keys.systemAccount, user, keys.accountSigningKey));
  return { keys, folder, seedFile, credentials };
}
