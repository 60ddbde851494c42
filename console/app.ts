import { Hono } from "hono";
import { actingOf, shortForm } from "./acting.ts";
import { signedIn, type Variables } from "./guard.ts";
import { knownAccountsOf } from "./known-accounts.ts";
import { ordersOf } from "./orders.ts";
import { type Pages, pagesOf } from "./pages.ts";
import { answerErrors, protect } from "./protect.ts";
import type { ConsoleSettings } from "./settings.ts";
import { FAVICON, SCRIPT } from "./views/script.ts";
import { STYLE } from "./views/style.ts";

/** The console's pages. They can be mounted at the root of another app. */
export function createConsole(settings: ConsoleSettings, orders = ordersOf(settings)): Hono {
  const hono = new Hono<{ Variables: Variables }>();
  const known = knownAccountsOf(settings);
  const pages: Pages = pagesOf(settings, known);
  const acting = actingOf(settings, orders, known);
  hono.use(protect(settings.guard));
  hono.onError(answerErrors(settings.log));
  hono.get("/console.css", (context) => asset(context.body(STYLE), "text/css"));
  hono.get("/console.js", (context) => asset(context.body(SCRIPT), "text/javascript"));
  hono.get("/console.svg", (context) => asset(context.body(FAVICON), "image/svg+xml"));
  settings.guard.addSignIn?.(hono);
  hono.use(signedIn(settings.guard));
  hono.get("/", pages.fleet);
  hono.get("/account/:account", pages.account);
  hono.get("/account/:account/plan", acting.plan);
  hono.get("/account/:account/order", acting.form);
  hono.post("/account/:account/order", shortForm, acting.order);
  hono.get("/account/:account/order/:correlation", acting.progress);
  hono.get("/account/:account/order/:correlation/events", acting.follow);
  // What a request's handlers tell each other is nothing to whoever mounts them.
  return hono as unknown as Hono;
}

/** The files are part of the release, so they may be kept for a while. */
function asset(answer: Response, type: string): Response {
  answer.headers.set("content-type", `${type}; charset=utf-8`);
  answer.headers.set("cache-control", "public, max-age=300");
  return answer;
}
