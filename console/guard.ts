import { createHmac, randomBytes } from "node:crypto";
import type { Context, Hono, MiddlewareHandler } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { RelightError } from "../lib/errors.ts";
import { isSame } from "../lib/http/access.ts";
import type { Person } from "../lib/http/person.ts";

/** What the pages know of a request. */
export interface Variables {
  person: Person;
  /** Of this browser's forms. */
  nonce?: string;
}
export type PageContext = Context<{ Variables: Variables }>;

/** Who is let in, and how a form proves that it came from our page. */
export interface Guard {
  /** @throws RelightError `request.unauthorized` for a request that must not be answered at all */
  admit(context: Context): void;
  /** Undefined if the person has to sign in first. */
  personOf(context: Context): Person | undefined;
  /** Whether cookies are for HTTPS only. */
  readonly isSecure: boolean;
  readonly key: Uint8Array;
  /** Where people open it; by default what the request names. */
  readonly origin?: string;
  /** Adds the pages for signing in; absent where nobody signs in. */
  readonly addSignIn?: (hono: Hono<{ Variables: Variables }>) => void;
}

/** A key for this process: sessions and forms end with it. */
export const newKey = (): Uint8Array => randomBytes(32);

const FORM_COOKIE = "relight_form";

/** The token for a form on the page that answers this request. */
export function formToken(context: PageContext, { key, isSecure }: Pick<Guard, "key" | "isSecure">): string {
  const kept = context.get("nonce") ?? getCookie(context, FORM_COOKIE);
  const nonce = kept !== undefined && /^[\w-]{22,64}$/.test(kept) ? kept : randomBytes(18).toString("base64url");
  if (nonce !== kept) setCookie(context, FORM_COOKIE, nonce, cookieOf(isSecure));
  // A page may have several forms.
  context.set("nonce", nonce);
  return sign(key, `form ${nonce}`);
}

/** Other sites can neither read such a cookie nor make a browser send it. */
export const cookieOf = (isSecure: boolean) =>
  ({ path: "/", httpOnly: true, sameSite: "Strict", secure: isSecure }) as const;

/** @throws RelightError `request.unauthorized` unless the form is from our own page */
export function checkForm(context: Context, { key }: Pick<Guard, "key">, token: unknown): void {
  const nonce = getCookie(context, FORM_COOKIE) ?? "";
  if (typeof token === "string" && nonce !== "" && isSame(token, sign(key, `form ${nonce}`))) return;
  throw new RelightError(
    "request.unauthorized",
    "the form is out of date or not from this console; go back, reload and try again",
  );
}

export const sign = (key: Uint8Array, text: string): string =>
  createHmac("sha256", key).update(text).digest("base64url");

/** Refuses what another site made a browser send. Browsers say where a form comes from; programs have the API. */
export function checkOrigin({ req }: Context, { origin: own }: Pick<Guard, "origin">): void {
  const [origin, site] = [req.header("origin"), req.header("sec-fetch-site")];
  const isNamed = own === undefined ? URL.parse(origin ?? "")?.host === req.header("host") : origin === own;
  const isOwn = origin === undefined ? site === "same-origin" : isNamed;
  if (isOwn && (site === undefined || site === "same-origin")) return;
  throw new RelightError("request.unauthorized", "the form was sent from another site");
}

/** Lets only people in who said who they are; others are sent to sign in. */
export function signedIn(guard: Guard): MiddlewareHandler<{ Variables: Variables }> {
  return async (context, next) => {
    const person = guard.personOf(context);
    if (person === undefined) {
      if (context.req.method !== "GET") throw new RelightError("request.unauthorized", "sign in first");
      const { pathname, search } = new URL(context.req.url);
      const to = pathname + search;
      return context.redirect(to === "/" ? "/sign-in" : `/sign-in?to=${encodeURIComponent(to)}`, 303);
    }
    context.set("person", person);
    return next();
  };
}

/** @throws RelightError `request.unauthorized` for viewers */
export function requireOperator({ name, role }: Person): void {
  if (role === "operator") return;
  throw new RelightError("request.unauthorized", `${name} may look, but not act: the role is ${role}`);
}
