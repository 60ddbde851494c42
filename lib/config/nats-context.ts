import { readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import * as z from "zod";
import { readServerAddress } from "../domain/observation/server-address.ts";
import { defined } from "../domain/time/defined.ts";
import { isJsonObject, type JsonObject, parseJson } from "../domain/time/json.ts";
import { mostSimilar } from "../domain/time/similar.ts";
import { expandHome } from "../files/paths.ts";
import { readText } from "../files/read-text.ts";

/**
 * Contexts of the `nats` command line (`nats context save`): named files that say how to reach servers and sign in.
 * Read as it reads them (natscontext of nats-io/jsm.go, nats CLI 0.1.6 and later).
 */

export type Environment = Readonly<Record<string, string | undefined>>;

/** What a context stands for in `cluster`; secrets as references. */
export interface ContextSettings {
  readonly servers: readonly string[];
  readonly systemCredentials: string;
  readonly tls?: Readonly<Record<string, string | boolean>>;
}

/** A context that can't be used. The message names its file. */
export class UnusableContext extends Error {}

/** The user that a context signs in with. Exactly one way. */
type SignIn =
  | { readonly user: string; readonly password: string }
  | { readonly token: string }
  | { readonly file: string }
  | { readonly variable: string }
  | { readonly jwt: string; readonly seed: string };

/** Other fields are for the `nats` command only, such as `description`, `jetstream_domain` and `color_scheme`. */
const text = z.string().default("");
const contextFile = z.looseObject({
  url: text,
  user: text,
  password: text,
  token: text,
  creds: text,
  nkey: text,
  user_jwt: text,
  user_seed: text,
  nsc: text,
  socks_proxy: text,
  ca: text,
  cert: text,
  key: text,
  tls_first: z.boolean().default(false),
});
type ContextFile = z.infer<typeof contextFile>;

/**
 * The content of a configuration with the servers, credentials and TLS of a context. Keys beside `cluster.context` win;
 * `instead` replaces them all.
 * @throws UnusableContext
 */
export function withContext(content: JsonObject, instead: string | undefined, env: Environment): JsonObject {
  const cluster = content["cluster"] ?? {};
  if (!isJsonObject(cluster)) return content;
  const { servers, systemCredentials, tls, ...others } = cluster;
  const name = instead || cluster["context"];
  if (name !== true && (typeof name !== "string" || name === "")) return content;
  const own = instead ? {} : defined({ servers, systemCredentials, tls });
  return { ...content, cluster: { ...(readContext(name, env) as object), ...others, ...own, context: name } };
}

const DEFAULT_URL = "nats://127.0.0.1:4222";

/**
 * What the context `name` stands for; `true` is the selected one (`nats context select`).
 * @throws UnusableContext
 */
export function readContext(name: string | true, env: Environment): ContextSettings {
  const path = pathOf(name === true ? selected(env) : name, env);
  const context = readContextFile(path);
  const at = place(path, env);
  const { url, ca, cert, key, tls_first: handshakeFirst, nsc, socks_proxy: proxy } = context;
  if (nsc !== "" && context.creds === "")
    throw at.fault(`nsc is ${nsc}; Relight does not run nsc: save the user with \`nsc generate creds\` and set creds`);
  if (proxy !== "") throw at.fault("socks_proxy is set, but Relight connects without a proxy");
  const servers = (url === "" ? DEFAULT_URL : url).split(",").map((one) => withoutLogin(one.trim()).address);
  for (const server of servers) {
    const read = readServerAddress(server);
    if (!read.ok) throw at.fault(`url ${read.problem}`);
  }
  const files = { ca, cert, key };
  const tls = Object.entries(files).flatMap(([field, value]) =>
    value === "" ? [] : [[field, at.reference(field, value)] as const],
  );
  return {
    servers,
    systemCredentials: credentialsOf(context, path, at),
    ...(tls.length === 0 && !handshakeFirst ? {} : { tls: { ...Object.fromEntries(tls), handshakeFirst } }),
  };
}

/** Files are referred to; what is in the context itself is read from it again, so no configuration holds a secret. */
function credentialsOf(context: ContextFile, path: string, at: Place): string {
  const signIn = signInOf(context, at);
  if ("file" in signIn) return `file:${signIn.file}`;
  return "variable" in signIn ? `env:${signIn.variable}` : `nats-context:${path}`;
}

/** The credentials in a context's own file, as the NATS adapter reads them. @throws UnusableContext */
export function contextCredentials(path: string, env: Environment): string {
  const signIn = signInOf(readContextFile(path), place(path, env));
  if (!("jwt" in signIn)) return JSON.stringify(signIn);
  const [jwt, seed] = [signIn.jwt.trim(), signIn.seed.trim()];
  const block = (what: string, lines: string): string => `-----BEGIN ${what}-----\n${lines}\n------END ${what}------\n`;
  return `${block("NATS USER JWT", jwt)}\n${block("USER NKEY SEED", seed)}`;
}

/** In the order in which the `nats` command prefers them. */
function signInOf(context: ContextFile, at: Place): SignIn {
  const { url, user, password, token, creds, nkey, user_jwt: jwt, user_seed: seed } = context;
  if (user !== "") return { user: at.literal("user", user), password: at.literal("password", password) };
  if (creds !== "") return at.source("creds", creds);
  if (jwt !== "" && seed !== "") return { jwt: at.literal("user_jwt", jwt), seed: at.literal("user_seed", seed) };
  if (nkey !== "") return at.source("nkey", nkey);
  if (token !== "") return { token: at.literal("token", token) };
  const login = url.split(",").map((one) => withoutLogin(one.trim()).login);
  const [first] = login.filter((one) => one !== undefined);
  if (first !== undefined) return first;
  throw at.fault("it has no user: set creds, nkey, user and password, or token");
}

interface Place {
  fault(problem: string): UnusableContext;
  /** A field with a path, as a secret reference. */
  reference(field: string, value: string): string;
  source(field: string, value: string): SignIn;
  /** A field that holds the value itself, or names a variable of the environment. */
  literal(field: string, value: string): string;
}

function place(path: string, env: Environment): Place {
  const fault = (problem: string): UnusableContext => new UnusableContext(`the NATS context ${path}: ${problem}`);
  const source = (field: string, value: string): { file: string } | { variable: string } => {
    const [, scheme = "", rest = ""] = /^([a-z][a-z0-9+.-]+):\/\/(.*)$/is.exec(value) ?? [];
    if (scheme.toLowerCase() === "env") return { variable: rest };
    if (scheme !== "" && scheme.toLowerCase() !== "file") throw fault(unsupported(field, scheme));
    return { file: resolve(expandHome(expandVariables(scheme === "" ? value : rest, env))) };
  };
  return {
    fault,
    source,
    reference: (field, value) => {
      const found = source(field, value);
      return "file" in found ? `file:${found.file}` : `env:${found.variable}`;
    },
    literal: (field, value) => {
      const [, scheme, rest = ""] = /^(env|op|nsc|data|file):(?:\/\/)?(.*)$/is.exec(value) ?? [];
      if (scheme === undefined) return value;
      if (scheme.toLowerCase() !== "env") throw fault(unsupported(field, scheme));
      const found = env[rest];
      if (found === undefined) throw fault(`${field} is ${value}, which is not set`);
      return found;
    },
  };
}

const unsupported = (field: string, scheme: string): string =>
  `${field} begins with ${scheme}:, which only the nats command can read: name a file, or env://NAME`;

const expandVariables = (path: string, env: Environment): string =>
  path.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_all, braced?: string, bare?: string) => env[braced ?? bare ?? ""] ?? "");

/** An address without the user, password or token in it. */
function withoutLogin(address: string): {
  address: string;
  login?: Extract<SignIn, { user: string } | { token: string }>;
} {
  const [, scheme = "", login, rest = ""] = /^([a-z][a-z0-9+.-]*:\/\/)?(?:([^/?#]*)@)?(.*)$/is.exec(address) ?? [];
  if (login === undefined) return { address };
  const [user = "", ...password] = login.split(":").map(decoded);
  const signIn = password.length === 0 ? { token: user } : { user, password: password.join(":") };
  return { address: scheme + rest, login: signIn };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function readContextFile(path: string): ContextFile {
  const fail = (problem: string): UnusableContext => new UnusableContext(`the NATS context ${path} ${problem}`);
  let json: string;
  try {
    json = readText(path);
  } catch (cause) {
    throw fail(`${(cause as Error).message}${others(path)}`);
  }
  const value = parseJson(json);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw fail("is not a JSON object");
  // A field that is null counts as not set, as in Go.
  const parsed = contextFile.safeParse(defined(withoutNulls(value as Record<string, unknown>)));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw fail(`has a wrong ${issue?.path.join(".") || "value"}: ${issue?.message}`);
}

const withoutNulls = (value: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null));

/** The names of all contexts, in order. */
export const contextNames = (env: Environment): readonly string[] => namesIn(join(rootOf(env), "context")).toSorted();

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).flatMap((file) => (file.endsWith(".json") ? [file.slice(0, -".json".length)] : []));
  } catch {
    // Without the folder there is no context.
    return [];
  }
}

/** The contexts that there are, for a name that does not exist. */
function others(path: string): string {
  const [, folder = "", wanted = ""] = /^(.*)[/\\]([^/\\]*)\.json$/s.exec(path) ?? [];
  const names = namesIn(folder);
  if (names.includes(wanted)) return "";
  const meant = mostSimilar(wanted, names);
  if (meant !== undefined) return `; did you mean ${meant}?`;
  return names.length === 0 ? "; there is no context" : `; there are ${names.toSorted().slice(0, 10).join(", ")}`;
}

function pathOf(name: string, env: Environment): string {
  if (name === "" || name.includes("..") || /[/\\]/.test(name))
    throw new UnusableContext(`"${name}" can't be the name of a NATS context`);
  return join(rootOf(env), "context", `${name}.json`);
}

function selected(env: Environment): string {
  const file = join(rootOf(env), "context.txt");
  try {
    const name = readText(file).trim();
    if (name !== "") return name;
  } catch {
    // Without the file none is selected.
  }
  throw new UnusableContext(`no NATS context is selected (${file}): run \`nats context select\`, or name one`);
}

const rootOf = (env: Environment): string => join(env["XDG_CONFIG_HOME"] || join(homedir(), ".config"), "nats");
