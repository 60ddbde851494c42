import { randomUUID } from "node:crypto";
import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { isJsonObject, type JsonObject, parseJson } from "../../lib/domain/time/json.ts";
import type { EpochMillis } from "../../lib/domain/time/time.ts";
import { isSame } from "../../lib/http/access.ts";
import type { Person } from "../../lib/http/person.ts";
import { cookieOf, type Guard, sign } from "../guard.ts";

/** How long a person stays signed in; milliseconds. */
const LASTS = 12 * 3_600_000;
/** Ended sessions to remember. */
const MOST_ENDED = 10_000;

type Keys = Pick<Guard, "key" | "isSecure">;

/** Who is signed in. A session is in its cookie; it ends when its person signs out, after a while, and with this process. */
export interface Sessions {
  begin(context: Context, person: Person, now: EpochMillis): void;
  /** Undefined if nobody is signed in. */
  personOf(context: Context, now: EpochMillis): Person | undefined;
  /** Also for copies of the cookie. */
  end(context: Context, now: EpochMillis): void;
}

/** With the prefix, browsers take the cookie over HTTPS and for this host only. */
const cookieName = ({ isSecure }: Keys): string => (isSecure ? "__Host-relight" : "relight_session");

export function sessionsOf(keys: Keys, mostEnded = MOST_ENDED): Sessions {
  const name = cookieName(keys);
  /** Until when each ended session would have lasted. */
  const ended = new Map<string, number>();
  /** Sessions that end until then are over. It moves only if more were ended than are remembered. */
  let over = 0;

  /** The content of a session that this process began and that is not over. */
  function contentOf(context: Context, now: EpochMillis): JsonObject | undefined {
    const [content = "", proof = ""] = (getCookie(context, name) ?? "").split(".");
    if (content === "" || !isSame(proof, sign(keys.key, `session ${content}`))) return undefined;
    const data = parseJson(Buffer.from(content, "base64url").toString());
    if (!isJsonObject(data) || !(Number(data["until"]) > Math.max(now, over))) return undefined;
    return ended.has(String(data["id"])) ? undefined : data;
  }

  function remember(id: string, until: number, now: EpochMillis): void {
    ended.set(id, until);
    if (ended.size <= mostEnded) return;
    for (const [each, end] of ended) if (end <= now) ended.delete(each);
    if (ended.size <= mostEnded) return;
    // Rather everybody signs in again than that one of them lives again.
    over = now + LASTS;
    ended.clear();
  }

  return {
    begin: (context, { name: who, role, way }, now) => {
      const session = { id: randomUUID(), name: who, role, way, until: Math.max(now + LASTS, over + 1) };
      const content = Buffer.from(JSON.stringify(session)).toString("base64url");
      const value = `${content}.${sign(keys.key, `session ${content}`)}`;
      setCookie(context, name, value, { ...cookieOf(keys.isSecure), maxAge: LASTS / 1_000 });
    },
    // The proof says that this process wrote it.
    personOf: (context, now) => contentOf(context, now) as unknown as Person | undefined,
    end: (context, now) => {
      const session = contentOf(context, now);
      if (session !== undefined) remember(String(session["id"]), Number(session["until"]), now);
      deleteCookie(context, name, { path: "/", secure: keys.isSecure });
    },
  };
}
