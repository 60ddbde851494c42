import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { isJsonObject, parseJson } from "../lib/domain/time/json.ts";
import type { EpochMillis } from "../lib/domain/time/time.ts";
import { isSame } from "../lib/http/access.ts";
import type { Person } from "../lib/http/person.ts";
import { cookieOf, type Guard, sign } from "./guard.ts";

/** How long a person stays signed in; milliseconds. */
const LASTS = 12 * 3_600_000;

type Keys = Pick<Guard, "key" | "isSecure">;

/** With the prefix, browsers take the cookie over HTTPS and for this host only. */
const nameOf = ({ isSecure }: Keys): string => (isSecure ? "__Host-relight" : "relight_session");

/** Signs a person in: the session is in the cookie, and ends with this process. */
export function beginSession(context: Context, keys: Keys, { name, role, way }: Person, now: EpochMillis): void {
  const content = Buffer.from(JSON.stringify({ name, role, way, until: now + LASTS })).toString("base64url");
  const value = `${content}.${sign(keys.key, `session ${content}`)}`;
  setCookie(context, nameOf(keys), value, { ...cookieOf(keys.isSecure), maxAge: LASTS / 1_000 });
}

/** Who is signed in; undefined if nobody is. */
export function sessionOf(context: Context, keys: Keys, now: EpochMillis): Person | undefined {
  const [content = "", proof = ""] = (getCookie(context, nameOf(keys)) ?? "").split(".");
  if (content === "" || !isSame(proof, sign(keys.key, `session ${content}`))) return undefined;
  const data = parseJson(Buffer.from(content, "base64url").toString());
  if (!isJsonObject(data) || !(Number(data["until"]) > now)) return undefined;
  // The proof says that this process wrote it.
  return data as unknown as Person;
}

export const endSession = (context: Context, keys: Keys): void =>
  void deleteCookie(context, nameOf(keys), { path: "/", secure: keys.isSecure });
