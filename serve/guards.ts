import type { MiddlewareHandler } from "hono";
import { RelightError } from "../lib/errors.ts";
import type { Access } from "../lib/http/access.ts";
import { callerOf } from "../lib/http/caller.ts";
import { hostOf, isLoopback } from "../lib/http/loopback.ts";

/** What a page of another site could make a browser on this machine send is refused. */

/**
 * Refuses requests to another name than `host`, this machine's own, or that of `url`, so that no name of a foreign page can
 * be made to point here (DNS rebinding). Where others may connect, a name proves nothing, and they have to say who they are.
 */
export function ownHost(host: string, url = `http://${host}`): MiddlewareHandler {
  const names = [host.toLowerCase(), URL.parse(url)?.hostname];
  return async (context, next) => {
    const asked = hostOf(context.req.header("host"));
    const isOwn = asked !== undefined && (isLoopback(asked) || names.includes(asked));
    if (isLoopback(host) && !isOwn)
      throw new RelightError("request.unauthorized", "the request's Host is not an address of this machine");
    await next();
  };
}

/** Refuses orders that a page of another site sent: a browser says where they come from. */
export const ownOrigin: MiddlewareHandler = async ({ req }, next) => {
  const origin = req.header("origin");
  const site = req.header("sec-fetch-site") ?? "none";
  const isOwn = origin === undefined || URL.parse(origin)?.host === URL.parse(`http://${req.header("host")}`)?.host;
  if (!isReading(req.method) && !(isOwn && ["none", "same-origin"].includes(site)))
    throw new RelightError("request.unauthorized", "the request was sent by a page of another site");
  await next();
};

/** Refuses orders of another type: a browser sends JSON to another site only after asking it. */
export const onlyJson: MiddlewareHandler = async ({ req }, next) => {
  const [type = ""] = (req.header("content-type") ?? "").split(";");
  if (!isReading(req.method) && type.trim().toLowerCase() !== "application/json")
    throw new RelightError("request.invalid", "an order needs the header Content-Type: application/json");
  await next();
};

/** Refuses requests that name nobody who may send them. Programs have a token, or a proxy that names them. */
export function onlyKnown(access: Access): MiddlewareHandler {
  return async (context, next) => {
    const person = access.letIn(callerOf(context));
    if (person === undefined)
      throw new RelightError("request.unauthorized", "the request names nobody; send Authorization: Bearer TOKEN");
    if (!isReading(context.req.method) && person.role !== "operator")
      throw new RelightError("request.unauthorized", `${person.name} may look, but not act`);
    await next();
  };
}

const isReading = (method: string): boolean => method === "GET" || method === "HEAD";
