import { html } from "hono/html";
import { type AccountId, shortId } from "../../lib/domain/claims/account.ts";
import { type EpochMillis, formatDuration, millis } from "../../lib/domain/time/time.ts";
import { elapsedOf, type Progress } from "../../lib/usecases/reports/account-history.ts";
import { planSteps } from "../../lib/usecases/reports/plan-steps.ts";
import type { Survey } from "../../lib/usecases/reports/survey.ts";
import type { OrderNote } from "../orders.ts";
import { ACTIONS, type Action } from "./account.ts";
import { badge, type Html, nameOf, said } from "./layout.ts";
import { stepList } from "./timeline.ts";
import { findingItem } from "./verdict.ts";

/** A look at the cluster: what Relight would do, or why that can't be said. */
export type PlanSeen = { readonly row: Survey } | { readonly problem: string };

interface Whose {
  readonly account: AccountId;
  /** Empty if it has none. */
  readonly name: string;
}

const path = ({ account, name }: Whose): Html =>
  html`<p class="path"><a href="/">Accounts</a> › <a href="/account/${account}">${nameOf(name || shortId(account))}</a></p>`;

const title = (action: string): string => `${action[0]?.toUpperCase()}${action.slice(1)}`;

export function planView(
  view: Whose & { readonly plan: PlanSeen; readonly mode: string; readonly mayAct: boolean },
): Html {
  const { account, name, plan, mode, mayAct } = view;
  const actions = Object.keys(ACTIONS).map(
    (action) => html`<a class="button" href="/account/${account}/order?do=${action}">${title(action)}</a>`,
  );
  return html`${path(view)}<h1>Plan for ${nameOf(name || account)}</h1>
${planned(plan)}<p class="dim">${said(mode)}.</p>${mayAct ? html`<div class="actions">${actions}</div>` : ""}`;
}

/** What a look at the cluster just now found, and what follows. */
function planned(plan: PlanSeen): Html {
  if ("problem" in plan)
    return html`<section><p class="error">No plan: the cluster can't be looked at from here.</p><p>${said(plan.problem)}</p></section>`;
  const { verdict } = plan.row.seen;
  const steps = planSteps(plan.row);
  const findings = verdict.findings.slice(0, MOST_FINDINGS).map((one) => findingItem({ ...one } as never));
  return html`<section><h2>Just now it is ${badge(verdict.health)}</h2>
${findings.length === 0 ? html`<p>Everything that was checked works.</p>` : html`<ul class="findings">${findings}</ul>`}
<h3>Relight would</h3>
${steps.length === 0 ? html`<p>do nothing: there is nothing to do.</p>` : html`<ul class="plan">${steps.map(planStep)}</ul>`}</section>`;
}

const MOST_FINDINGS = 50;

function planStep({ refused, text, more }: ReturnType<typeof planSteps>[number]): Html {
  const tone = refused ? "tone-bad" : "tone-act";
  const facts = more.map(([label, value]) => html`<dt>${label}</dt><dd>${said(value)}</dd>`);
  return html`<li class="${tone}"><span class="mark" aria-hidden="true">${refused ? "✗" : "→"}</span> ${said(text)}${more.length === 0 ? "" : html`<dl>${facts}</dl>`}</li>`;
}

export interface OrderView extends Whose {
  readonly action: Action;
  readonly plan: PlanSeen;
  readonly mode: string;
  readonly csrf: string;
  /** Sent twice, the form orders once. */
  readonly once: string;
  /** What was wrong with the form that was sent. */
  readonly error?: string | undefined;
  readonly reason: string;
}

/** The plan, and the form that asks why. */
export function orderView(view: OrderView): Html {
  const { account, name, action, plan, mode, csrf, once, error, reason } = view;
  const wrong = error === undefined ? "" : html`<p class="error" id="wrong" role="alert">${error}</p>`;
  const described = error === undefined ? "reason-help" : "wrong reason-help";
  return html`${path(view)}<h1>${title(action)} ${nameOf(name || account)}</h1>
<p>${ACTIONS[action]}.</p>
${planned(plan)}<p class="dim">${said(mode)}.</p>
<form class="order" method="post" action="/account/${account}/order?do=${action}">
<input type="hidden" name="csrf" value="${csrf}"><input type="hidden" name="once" value="${once}">
<label for="reason">Reason</label>
${wrong}
<input id="reason" name="reason" value="${reason}" required minlength="3" maxlength="500" autocomplete="off" aria-describedby="${described}" ${error === undefined ? "" : html`aria-invalid="true"`}>
<p class="dim" id="reason-help">3 to 500 characters. The journal keeps who ordered what, and why.</p>
<div class="actions"><button class="primary">${title(action)}</button><a class="button" href="/account/${account}">Cancel</a></div>
</form>`;
}

export interface ProgressView extends Whose {
  readonly progress: Progress;
  /** What this process knows of it beyond the journal. */
  readonly note: OrderNote | undefined;
  readonly now: EpochMillis;
}

/** Whether nothing more will happen. */
export const hasEnded = ({ state }: Progress, note: OrderNote | undefined): boolean =>
  state === "finished" || (note !== undefined && note.state !== "waiting");

/** How far an order has come. */
export function progressView(view: ProgressView): Html {
  const { account, name, progress, note, now } = view;
  const { order, state, outcome, verdict, steps } = progress;
  const ordered = order === undefined ? "" : html`<p>Ordered by ${said(order.actor, 200)}: ${said(order.reason)}</p>`;
  const isOver = hasEnded(progress, note);
  const doing = state === "finished" ? outcome : note === undefined ? STATES[state] : note.state;
  const elapsed = formatDuration(elapsedOf(progress, now));
  const took = state === "finished" ? `after ${elapsed}` : isOver ? "" : `for ${elapsed}`;
  const end =
    state === "finished" && verdict !== undefined
      ? html`<p>At the end the account is ${badge(String(verdict["verdict"]))}.</p>`
      : state === "running"
        ? runningStep(progress, now)
        : "";
  return html`${path(view)}<h1>${title(order?.action ?? "Job")} ${nameOf(name || account)}</h1>${ordered}
<section aria-live="polite"><h2>${doing ?? ""} <span class="dim">${took}</span></h2>
${note === undefined ? "" : html`<p class="${note.state === "failed" ? "error" : "note"}">${said(note.text)}</p>`}
${stepList(steps)}${end}</section>
${isOver ? html`<div class="actions"><a class="button" href="/account/${account}">Back to the account</a></div>` : html`<p class="dim">You may leave this page: the job goes on.</p>`}`;
}

const STATES = { requested: "waiting for its turn", running: "running" } as const;

/** How long the step under way has taken. */
function runningStep({ steps }: Progress, now: EpochMillis): Html | "" {
  const last = steps.at(-1);
  if (last === undefined) return "";
  const length = formatDuration(millis(now - last.at));
  const isUnderWay = last.label === "tries" || last.label === "pushes";
  return html`<p class="running">${isUnderWay ? html`This step has taken ${length} so far.` : html`${length} since the last step.`}</p>`;
}
