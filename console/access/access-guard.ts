import type { Context, Hono } from "hono";
import type { EpochMillis } from "../../lib/domain/time/time.ts";
import { RelightError } from "../../lib/errors.ts";
import { type Access, faultOfName } from "../../lib/http/access.ts";
import { callerOf } from "../../lib/http/caller.ts";
import { ownPath } from "../../lib/http/own-path.ts";
import { logFailure } from "../../lib/http/refusals.ts";
import type { Log } from "../../lib/ports/log.ts";
import { shortForm } from "../acting.ts";
import { checkForm, checkOrigin, formToken, type Guard, newKey, type Variables } from "../guard.ts";
import { send } from "../protect.ts";
import { layout } from "../views/layout.ts";
import { signedInView, signInView } from "../views/sign-in.ts";
import { type OidcSignIn, oidcSignIn } from "./oidc.ts";
import { sessionsOf } from "./sessions.ts";

type Console = Hono<{ Variables: Variables }>;

const NO_NAME = "Write your name: the journal keeps who ordered what.";

/** What the page for signing in shows. */
interface Asked {
  /** Where the person goes then. */
  readonly to: string;
  readonly error?: string;
  readonly name?: string;
}

/** Where somebody wanted to go before signing in. */
const wanted = (to: unknown): string => (typeof to === "string" ? ownPath(to) : undefined) ?? "/";

/** Lets people in whom the proxy names, or who signed in. */
export function accessGuard(access: Access, { now, log }: { now: () => EpochMillis; log: Log }): Guard {
  const { url, tokens, oidc } = access.settings;
  const origin = url === undefined ? undefined : new URL(url).origin;
  const keys = { key: newKey(), isSecure: origin?.startsWith("https:") ?? false };
  const sessions = sessionsOf(keys);
  const guard: Guard = {
    ...keys,
    ...(origin === undefined ? {} : { origin }),
    // The proxy or the sign-in says who it is; a name proves nothing where others may connect.
    admit: () => undefined,
    personOf: (context) => access.letIn(callerOf(context)) ?? sessions.personOf(context, now()),
    addSignIn: (hono) => {
      addTokens(hono);
      if (oidc !== undefined) addProvider(hono, oidcSignIn(oidc, access, guard));
    },
  };

  function addProvider(hono: Console, provider: OidcSignIn): void {
    hono.get("/sign-in/oidc", async (context) => {
      const url = await provider.begin(context, wanted(context.req.query("to")));
      return context.redirect(String(url), 303);
    });
    hono.get("/sign-in/callback", async (context) => {
      const { person, to } = await provider.finish(context);
      sessions.begin(context, person, now());
      // Browsers do not send the session's cookie on a redirect that began at the provider.
      return send(context, layout({ title: "Signed in", forwards: wanted(to), body: signedInView(wanted(to)) }));
    });
  }

  function addTokens(hono: Console): void {
    hono.get("/sign-in", (context) => page(context, { to: wanted(context.req.query("to")) }));
    hono.post("/sign-in", shortForm, async (context) => {
      checkOrigin(context, guard);
      const form = await context.req.parseBody();
      checkForm(context, guard, form["csrf"]);
      const to = wanted(form["to"]);
      const name = String(form["name"] ?? "").trim();
      const fault = faultOfName(name);
      if (fault !== undefined) return page(context, { to, error: name === "" ? NO_NAME : `The name ${fault}.` });
      try {
        const role = access.roleOfToken(String(form["token"] ?? "").trim(), callerOf(context));
        sessions.begin(context, { name, role, way: "token" }, now());
      } catch (thrown) {
        if (!(thrown instanceof RelightError && thrown.code === "request.unauthorized")) throw thrown;
        const { method, path } = context.req;
        logFailure(log, { method, path, caller: callerOf(context) }, 401, thrown);
        return page(context, { to, error: "The token is wrong.", name });
      }
      return context.redirect(to, 303);
    });
    hono.post("/sign-out", shortForm, async (context) => {
      checkOrigin(context, guard);
      checkForm(context, guard, (await context.req.parseBody())["csrf"]);
      sessions.end(context, now());
      return context.redirect("/sign-in", 303);
    });
  }

  function page(context: Context<{ Variables: Variables }>, { to, error, name = "" }: Asked): Promise<Response> {
    const csrf = formToken(context, guard);
    const view = { csrf, to, error, name, hasTokens: tokens.length > 0, hasOidc: oidc !== undefined };
    return send(context, layout({ title: "Sign in", body: signInView(view) }), error === undefined ? 200 : 401);
  }

  return guard;
}
