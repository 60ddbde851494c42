import type { Hono } from "hono";
import type { App } from "../lib/compose/compose.ts";
import { RelightError } from "../lib/errors.ts";
import { type Access, accessOf } from "../lib/http/access.ts";
import { isLoopback } from "../lib/http/loopback.ts";
import { accessGuard } from "./access/access-guard.ts";
import { createConsole } from "./app.ts";
import { loopbackGuard } from "./loopback.ts";
import { ordersOf } from "./orders.ts";
import type { ConsoleSettings } from "./settings.ts";

export interface OpenedConsole {
  readonly pages: Hono;
  /** Who may call the API beside the pages; undefined if everybody on this machine may. */
  readonly access: Access | undefined;
  /** Waits for the jobs that people ordered and that run in this process. */
  drain(): Promise<void>;
}

export interface ConsoleOptions extends Omit<ConsoleSettings, "app" | "guard"> {
  readonly app: ConsoleSettings["app"] & Pick<App, "access" | "listen">;
  /** Who acts where nobody signs in, for the journal. */
  readonly person: string;
  /** Whether people sign in on loopback, too, if the configuration says how: a proxy may stand before it. */
  readonly signsInOnLoopback: boolean;
}

/** The pages, with the way of letting in that the configuration names. @throws RelightError `secret.*` */
export async function openConsole({ person, signsInOnLoopback, ...settings }: ConsoleOptions): Promise<OpenedConsole> {
  const { app, log } = settings;
  const now = () => app.clock.now();
  const { host } = app.listen;
  const configured = isLoopback(host) && !signsInOnLoopback ? undefined : await app.access();
  // The configuration refuses that already; everybody who reaches the address could act.
  if (configured === undefined && !isLoopback(host))
    throw new RelightError(
      "config.invalid",
      `${host} can be reached from other machines, and serve.access lets nobody in`,
    );
  const access = configured && accessOf(configured, { now, log });
  const guard = access === undefined ? loopbackGuard(person) : accessGuard(access, { now, log });
  const orders = ordersOf(settings);
  return { pages: createConsole({ ...settings, guard }, orders), access, drain: orders.drain };
}
