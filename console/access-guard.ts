import type { Context, Hono } from "hono";
import type { EpochMillis } from "../lib/domain/time/time.ts";
import { RelightError } from "../lib/errors.ts";
import { type Access, isName } from "../lib/http/access.ts";
import { callerOf } from "../lib/http/caller.ts";
import { logFailure } from "../lib/http/refusals.ts";
import type { Log } from "../lib/ports/log.ts";
import { shortForm } from "./acting.ts";
import { checkForm, checkOrigin, formToken, type Guard, newKey, type Variables } from "./guard.ts";
import { type OidcSignIn, oidcSignIn } from "./oidc.ts";
import { send } from "./protect.ts";
import { beginSession, endSession, sessionOf } from "./sessions.ts";
import { layout } from "./views/layout.ts";
import { signedInView, signInView } from "./views/sign-in.ts";

type Console = Hono<{ Variables: Variables }>;

/** Lets people in whom the proxy names, or who signed in. */
export function accessGuard(access: Access, { now, log }: { now: () => EpochMillis; log: Log }): Guard {
  const { url, tokens, oidc } = access.settings;
  const origin = url === undefined ? undefined : new URL(url).origin;
  const keys = { key: newKey(), isSecure: origin?.startsWith("https:") ?? false };
  const guard: Guard = {
    ...keys,
    ...(origin === undefined ? {} : { origin }),
    // The proxy or the sign-in says who it is; a name proves nothing where others may connect.
    admit: () => undefined,
    personOf: (context) => access.letIn(callerOf(context)) ?? sessionOf(context, keys, now()),
    addSignIn: (hono) => {
      addTokens(hono);
      if (oidc !== undefined) addProvider(hono, oidcSignIn(oidc, access, guard));
    },
  };

  function addProvider(hono: Console, provider: OidcSignIn): void {
    hono.get("/sign-in/oidc", async (context) => context.redirect(String(await provider.begin(context)), 303));
    hono.get("/sign-in/callback", async (context) => {
      beginSession(context, keys, await provider.finish(context), now());
      // Browsers do not send the session's cookie on a redirect that began at the provider.
      return send(context, layout({ title: "Signed in", forwards: "/", body: signedInView() }));
    });
  }

  function addTokens(hono: Console): void {
    hono.get("/sign-in", (context) => page(context));
    hono.post("/sign-in", shortForm, async (context) => {
      checkOrigin(context, guard);
      const form = await context.req.parseBody();
      checkForm(context, guard, form["csrf"]);
      const name = String(form["name"] ?? "").trim();
      if (!isName(name)) return page(context, "Write your name: the journal keeps who ordered what.");
      try {
        const role = access.roleOfToken(String(form["token"] ?? "").trim(), callerOf(context));
        beginSession(context, keys, { name, role, way: "token" }, now());
      } catch (thrown) {
        if (!(thrown instanceof RelightError && thrown.code === "request.unauthorized")) throw thrown;
        const { method, path } = context.req;
        logFailure(log, { method, path, caller: callerOf(context) }, 401, thrown);
        return page(context, "The token is wrong.", name);
      }
      return context.redirect("/", 303);
    });
    hono.post("/sign-out", shortForm, async (context) => {
      checkOrigin(context, guard);
      checkForm(context, guard, (await context.req.parseBody())["csrf"]);
      endSession(context, keys);
      return context.redirect("/sign-in", 303);
    });
  }

  function page(context: Context<{ Variables: Variables }>, error?: string, name = ""): Promise<Response> {
    const csrf = formToken(context, guard);
    const view = { csrf, error, name, hasTokens: tokens.length > 0, hasOidc: oidc !== undefined };
    return send(context, layout({ title: "Sign in", body: signInView(view) }), error === undefined ? 200 : 401);
  }

  return guard;
}
