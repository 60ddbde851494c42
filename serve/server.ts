import { type Context, Hono } from "hono";
import type { Service } from "../lib/compose/open-service.ts";
import type { Access } from "../lib/http/access.ts";
import { callerOf } from "../lib/http/caller.ts";
import { LONGEST_NOTICE, receiveNotice } from "../lib/http/notice.ts";
import { readName, readOrder, readPage } from "../lib/http/requests.ts";
import { answer, atMost, notFound, problems } from "./answers.ts";
import { onlyJson, onlyKnown, ownHost, ownOrigin } from "./guards.ts";

export interface ServeDependencies {
  readonly service: Pick<Service, "settings" | "log" | "withApp" | "missing" | "metrics">;
  /** The pages at `/`, with their own rules about who may see them. */
  readonly console?: Hono;
  /** Who may call the API; without it everybody on this machine. */
  readonly access?: Access | undefined;
}

/** An order's reason has 500 characters at most; bytes. */
const LONGEST_ORDER = 16_384;
/** Who orders on loopback, where nobody signs in. */
const ACTOR = "a program or person on this machine";

/** Everything that `relight serve` answers. */
export function createServe({ service, console, access }: ServeDependencies): Hono {
  const { log, settings } = service;
  const app = new Hono();
  app.onError(problems(log));
  app.notFound(notFound);
  const fromHere = ownHost(settings.listen.host, access?.settings.url);
  app.route("/", probesOf(service));
  app.get("/metrics", fromHere, async (context) => {
    const { contentType, text } = service.metrics;
    const isKnown = access === undefined || access.letIn(callerOf(context)) !== undefined;
    const shown = await text({ accounts: isKnown });
    return context.body(shown, 200, { "content-type": contentType, "cache-control": "no-store" });
  });
  app.route("/", webhookOf(service));
  if (access !== undefined) app.use("/accounts/*", onlyKnown(access));
  app.use("/accounts/*", fromHere, ownOrigin, onlyJson);
  app.route(
    "/accounts",
    apiOf(service, ({ req, env }) => access?.letIn(callerOf({ req, env }))?.name ?? ACTOR),
  );
  if (console !== undefined) app.route("/", console);
  return app;
}

/** For Kubernetes and load balancers, which do not sign in: they learn nothing of the accounts. */
function probesOf({ missing }: ServeDependencies["service"]): Hono {
  const probes = new Hono();
  probes.get("/livez", (context) => answer(context, 200, { live: true }));
  probes.get("/readyz", async (context) => {
    const parts = await missing();
    return answer(context, parts.length === 0 ? 200 : 503, { ready: parts.length === 0, missing: parts });
  });
  return probes;
}

/** The signature says who sent a notice; where from does not matter. */
function webhookOf(service: ServeDependencies["service"]): Hono {
  const webhook = new Hono();
  webhook.post("/webhooks/issuer", atMost(LONGEST_NOTICE), async (context) => {
    const request = { headers: context.req.header(), body: await context.req.text() };
    const [status, accepted] = await service.withApp((app) => receiveNotice(app, request));
    return answer(context, status, accepted);
  });
  return webhook;
}

/** docs/api.md; the same as functions/api.ts. */
function apiOf(service: ServeDependencies["service"], actorOf: (context: Context) => string): Hono {
  const api = new Hono();
  const named = (account: string): string => readName(account, "account");
  api.get("/", async (context) => {
    const page = readPage(context.req.query());
    return answer(context, 200, await service.withApp(({ console }) => console.accounts(page)));
  });
  api.get("/:account", async (context) => {
    const account = named(context.req.param("account"));
    return answer(context, 200, await service.withApp(({ console }) => console.account(account)));
  });
  api.post("/:account/jobs", atMost(LONGEST_ORDER), async (context) => {
    const account = named(context.req.param("account"));
    const order = { ...readOrder(await context.req.text()), account, actor: actorOf(context) };
    return answer(context, 202, await service.withApp(({ console }) => console.order(order)));
  });
  api.get("/:account/jobs/:correlation", async (context) => {
    const account = named(context.req.param("account"));
    const correlation = readName(context.req.param("correlation"), "correlation");
    return answer(context, 200, await service.withApp(({ console }) => console.ended(account, correlation)));
  });
  return api;
}
