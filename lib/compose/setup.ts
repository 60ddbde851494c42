import { connect } from "node:net";
import { accountFiles, credentialsFiles, nscHome, operatorFolders, seedFile } from "../adapters/local/nsc-home.ts";
import { accountOf } from "../adapters/nats/account/system-user.ts";
import { parseOperator } from "../adapters/nats/jwt/jwt-codec.ts";
import { parseConfig } from "../config/config.ts";
import { contextNames, readContext } from "../config/nats-context.ts";
import { isAccountId } from "../domain/claims/account.ts";
import { readPayload, undecorated } from "../domain/claims/jwt-text.ts";
import { trustedIssuers } from "../domain/claims/operator.ts";
import type { Found, FoundAccount, FoundContext, FoundKey, FoundOperator } from "../domain/setup/found.ts";
import { defined } from "../domain/time/defined.ts";
import { isJsonObject, type Json, type JsonObject } from "../domain/time/json.ts";
import { readText } from "../files/read-text.ts";
import type { Environment } from "./adapters-of.ts";
import { createSecrets } from "./secrets.ts";

/** What `relight init` does besides asking: searches this machine, and checks the configuration. */

export interface SearchOptions {
  readonly env: Environment;
  /** The folder that relative `file:` references start from. */
  readonly baseDir: string;
  /** nsc's folder, its stores or one operator's folder, instead of nsc's usual places. */
  readonly nsc?: string;
  /** A secret reference of the operator's JWT, instead of nsc's operators. */
  readonly operatorJwt?: string;
  /** The current time, in seconds since 1970. */
  readonly now: number;
}

/**
 * Searches nsc's stores and keystores, contexts of the `nats` command, and servers on this machine. Keeps no secret.
 * @throws RelightError `secret.*`, `operator.invalid` for the named operator JWT
 */
export async function searchMachine({ env, baseDir, nsc, operatorJwt, now }: SearchOptions): Promise<Found> {
  const secrets = createSecrets({ baseDir, env });
  const { stores, keystores, current } = nscHome(env, nsc);
  const describe = (jwt: string, token: string, folder?: string): FoundOperator =>
    operatorFrom({ jwt, token, keystores, now, ...defined({ folder, current }) });
  const operators =
    operatorJwt === undefined
      ? operatorFolders({ stores }).flatMap(({ folder, jwtFile }) =>
          attempt(() => describe(`file:${jwtFile}`, readText(jwtFile), folder)),
        )
      : [describe(operatorJwt, await secrets.read(operatorJwt))];
  const contexts = await Promise.all(contextNames(env).map((name) => contextOf(name, env, baseDir)));
  const local = (await listens("127.0.0.1", 4222)) ? ["nats://127.0.0.1:4222"] : [];
  return { operators, stores, contexts: contexts.flat(), local };
}

/** @throws RelightError `config.invalid` */
export const checkConfigText = (text: string, file: string, env: Environment): void =>
  void parseConfig(text, file, { ...env });

interface OperatorFiles {
  readonly jwt: string;
  readonly token: string;
  readonly keystores: readonly string[];
  readonly folder?: string;
  readonly current?: string;
  readonly now: number;
}

function operatorFrom({ jwt, token, keystores, folder, current, now }: OperatorFiles): FoundOperator {
  const text = undecorated(token);
  const operator = parseOperator(text);
  const nats = natsOf(readPayload(text));
  const { id, name, systemAccount } = operator;
  const signing = operator.signingKeys.filter((key) => key !== id);
  const identity = trustedIssuers(operator).includes(id) ? [id] : [];
  const accounts = folder === undefined ? [] : accountsIn(folder, keystores, operator.strictSigningKeyUsage);
  const system = accounts.find((account) => account.id === systemAccount)?.name;
  return {
    name,
    id,
    jwt,
    isCurrent: name === current,
    serviceUrls: texts(nats["operator_service_urls"]),
    keys: [...signing, ...identity].flatMap((key) => foundKey(keystores, key)),
    systemCredentials: credentialsFiles(keystores, name, system)
      .filter((file) => isUserOf(file, systemAccount, now))
      .toSorted((a, b) => Number(b.endsWith("/relight.creds")) - Number(a.endsWith("/relight.creds"))),
    accounts: accounts.filter((account) => account.id !== systemAccount),
    ...defined({ folder, systemAccount }),
  };
}

function foundKey(keystores: readonly string[], publicKey: string): FoundKey[] {
  const file = seedFile(keystores, publicKey);
  return file === undefined ? [] : [{ publicKey, file }];
}

function accountsIn(folder: string, keystores: readonly string[], isStrict: boolean): readonly FoundAccount[] {
  return accountFiles(folder).flatMap((file) => {
    const claims = readPayload(attempt(() => [undecorated(readText(file))])[0] ?? "");
    const id = String(claims?.["sub"]);
    if (claims === undefined || !isAccountId(id)) return [];
    // A key with a scope signs only users with that scope's permissions.
    const plain = texts(natsOf(claims)["signing_keys"]);
    const [key] = [...plain, ...(isStrict ? [] : [id])].flatMap((one) => foundKey(keystores, one));
    return [{ id, name: String(claims["name"] || id), ...defined({ key }) }];
  });
}

function isUserOf(file: string, account: string | undefined, now: number): boolean {
  const [credentials = ""] = attempt(() => [readText(file)]);
  const [token = ""] = /\beyJ[\w-]+\.[\w-]+\.[\w-]+/.exec(credentials) ?? [];
  const exp = readPayload(token)?.["exp"];
  const hasExpired = typeof exp === "number" && exp !== 0 && exp <= now;
  return account !== undefined && accountOf(credentials) === account && !hasExpired;
}

/** Leaves out contexts that Relight can't use, because there may be others. */
async function contextOf(name: string, env: Environment, baseDir: string): Promise<readonly FoundContext[]> {
  try {
    const { servers, systemCredentials } = readContext(name, env);
    const text = await createSecrets({ baseDir, env })
      .read(systemCredentials)
      .catch(() => "");
    return [{ name, servers, ...defined({ account: accountOf(text) }) }];
  } catch {
    return [];
  }
}

/** How long a server on this machine takes to accept a connection, at most; milliseconds. */
const ACCEPTS_WITHIN = 1_000;

function listens(host: string, port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ host, port, timeout: ACCEPTS_WITHIN });
    const end = (isThere: boolean) => () => {
      socket.destroy();
      done(isThere);
    };
    socket.once("connect", end(true)).once("timeout", end(false)).once("error", end(false));
  });
}

const natsOf = (claims: JsonObject | undefined): JsonObject => {
  const nats = claims?.["nats"];
  return isJsonObject(nats) ? nats : {};
};

const texts = (list: Json | undefined): readonly string[] =>
  Array.isArray(list) ? list.filter((entry): entry is string => typeof entry === "string") : [];

/** Nothing if it can't be read. */
function attempt<T>(read: () => T | readonly T[]): readonly T[] {
  try {
    const found = read();
    return Array.isArray(found) ? (found as readonly T[]) : [found as T];
  } catch {
    return [];
  }
}
