import { bodyLimit } from "hono/body-limit";
import { streamSSE } from "hono/streaming";
import type { AccountId } from "../lib/domain/claims/account.ts";
import { describeMode } from "../lib/domain/ladder/mode.ts";
import { isPrintable } from "../lib/domain/time/printable.ts";
import { redactText } from "../lib/domain/time/redact.ts";
import { asRelightError, RelightError } from "../lib/errors.ts";
import { readProgress } from "../lib/usecases/reports/account-history.ts";
import { survey } from "../lib/usecases/reports/survey.ts";
import { checkForm, checkOrigin, formToken, type PageContext, requireOperator } from "./guard.ts";
import type { KnownAccounts } from "./known-accounts.ts";
import { onceOf } from "./once.ts";
import type { Orders } from "./orders.ts";
import type { ConsoleSettings } from "./settings.ts";
import { show } from "./show.ts";
import { ACTIONS, type Action } from "./views/account.ts";
import { hasEnded, orderView, type PlanSeen, planView, progressView } from "./views/act.ts";
import { type Html, plain } from "./views/layout.ts";

type Page = (context: PageContext) => Promise<Response>;

/** The pages that show a plan, take an order, and follow it. */
export interface Acting {
  readonly plan: Page;
  readonly form: Page;
  readonly order: Page;
  readonly progress: Page;
  readonly follow: Page;
}

/** A reason's characters, in a form whose other fields are short; bytes. */
export const LONGEST_FORM = 16_384;
/** Plans at once, because each looks at the cluster. */
const MOST_PLANS = 4;
/** Streams of progress at once, and how long each lasts; the page reads itself again afterwards. */
const MOST_STREAMS = 50;
const LONGEST_STREAM = 15 * 60_000;
const EVERY = 1_000;

export const shortForm = bodyLimit({
  maxSize: LONGEST_FORM,
  onError: () => {
    throw new RelightError("request.invalid", "the form is too long");
  },
});

export function actingOf(settings: ConsoleSettings, orders: Orders, known: KnownAccounts): Acting {
  const { app } = settings;
  const once = onceOf(settings.guard);
  let plans = 0;
  let streams = 0;

  async function planOf(account: AccountId): Promise<PlanSeen> {
    if (plans >= MOST_PLANS)
      return { problem: "others are looking at the cluster just now; reload the page in a moment" };
    plans += 1;
    try {
      const [row] = await settings.withApp(async (fresh) => survey(await fresh.context(), [account]));
      return row === undefined ? { problem: "nothing is known about the account" } : { row };
    } catch (thrown) {
      const { message, code } = asRelightError(thrown);
      return { problem: code === "internal" ? "an error inside Relight; its log has the details" : message };
    } finally {
      plans -= 1;
    }
  }

  async function formPage(context: PageContext, error?: string, reason = ""): Promise<Response> {
    requireOperator(context.get("person"));
    const [account, action] = [await accountOf(context), actionOf(context)];
    const plan = await planOf(account);
    const csrf = formToken(context, settings.guard);
    const mark = once.mark(`${action} ${account}`);
    const mode = describeMode(app.mode);
    const name = await known.nameOf(account);
    const body = orderView({ account, name, action, plan, csrf, once: mark, mode, error, reason });
    return show(
      settings,
      context,
      { title: `${action} ${plain(name || account, 60)}`, body },
      error === undefined ? 200 : 400,
    );
  }

  async function progressOf(context: PageContext) {
    const account = await accountOf(context);
    const correlation = plain(context.req.param("correlation") ?? "", 100);
    const name = await known.nameOf(account);
    return {
      title: `Order for ${plain(name || account, 60)}`,
      read: async (): Promise<{ readonly view: Html; readonly isOver: boolean }> => {
        const progress = await readProgress(app.journal, account, correlation);
        const note = orders.noteOf(correlation);
        const view = progressView({ account, name, progress, note, now: app.clock.now() });
        return { view, isOver: hasEnded(progress, note) };
      },
      follow: `/account/${account}/order/${encodeURIComponent(correlation)}/events`,
    };
  }

  return {
    plan: async (context) => {
      const account = await accountOf(context);
      const plan = await planOf(account);
      const mode = describeMode(app.mode);
      const mayAct = context.get("person").role === "operator";
      const name = await known.nameOf(account);
      const body = planView({ account, name, plan, mode, mayAct });
      return show(settings, context, { title: `Plan for ${plain(name || account, 60)}`, body });
    },
    form: (context) => formPage(context),
    order: async (context) => {
      const person = context.get("person");
      requireOperator(person);
      checkOrigin(context, settings.guard);
      const form = await context.req.parseBody();
      checkForm(context, settings.guard, form["csrf"]);
      const [account, action, reason] = [
        await accountOf(context),
        actionOf(context),
        String(form["reason"] ?? "").trim(),
      ];
      const fault = faultOf(reason);
      if (fault !== undefined) return formPage(context, fault, reason);
      const correlation = await once.run(`${action} ${account}`, form["once"], async () => {
        orders.checkRoom();
        const job = await app.console.request({ account, action, reason, actor: person.name }, account);
        settings.log.info("an order was given", { account, action, actor: person.name, correlation: job.id });
        orders.start(job);
        return job.id;
      });
      return context.redirect(`/account/${account}/order/${correlation}`, 303);
    },
    progress: async (context) => {
      const { title, read, follow } = await progressOf(context);
      const { view, isOver: over } = await read();
      return show(settings, context, { title, ...(over ? {} : { reloads: 2, follow }), body: view });
    },
    follow: async (context) => {
      const { read } = await progressOf(context);
      await read();
      if (streams >= MOST_STREAMS) throw new RelightError("request.invalid", "too many people follow orders just now");
      streams += 1;
      return streamSSE(context, async (stream) => {
        const until = app.clock.now() + LONGEST_STREAM;
        try {
          while (!stream.aborted && app.clock.now() < until) {
            const { view, isOver: over } = await read();
            await stream.writeSSE({ event: "progress", data: redactText(String(await view)) });
            if (over) return await stream.writeSSE({ event: "end", data: "" });
            await stream.sleep(EVERY);
          }
        } finally {
          streams -= 1;
        }
      });
    },
  };

  async function accountOf(context: PageContext): Promise<AccountId> {
    return known.find(context.req.param("account") ?? "");
  }
}

function actionOf({ req }: PageContext): Action {
  const action = req.query("do") ?? "";
  if (Object.hasOwn(ACTIONS, action)) return action as Action;
  throw new RelightError("request.invalid", `there is no such order; there are ${Object.keys(ACTIONS).join(", ")}`);
}

/** What is wrong with a reason; undefined if nothing is. */
function faultOf(reason: string): string | undefined {
  const { length } = [...reason];
  if (length < 3) return "Write a reason: at least 3 characters.";
  if (length > 500) return `The reason has ${length} characters; at most 500 are kept.`;
  return isPrintable(reason) ? undefined : "The reason must be on one line, without control characters.";
}
