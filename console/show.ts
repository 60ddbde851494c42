import type { ContentfulStatusCode } from "hono/utils/http-status";
import { formToken, type PageContext } from "./guard.ts";
import { send } from "./protect.ts";
import type { ConsoleSettings } from "./settings.ts";
import { type Layout, layout } from "./views/layout.ts";

/** Sends a page to the person who asks. */
export function show(
  { guard }: Pick<ConsoleSettings, "guard">,
  context: PageContext,
  page: Omit<Layout, "person" | "csrf">,
  status?: ContentfulStatusCode,
): Promise<Response> {
  return send(context, layout({ ...page, person: context.get("person"), csrf: formToken(context, guard) }), status);
}
