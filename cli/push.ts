import type { App } from "../lib/compose/compose.ts";
import { EXIT, RelightError } from "../lib/errors.ts";
import { type PushPreview, previewPush } from "../lib/usecases/orders/preview-push.ts";
import { changesJson, renderChanges } from "./changes.ts";
import { colors } from "./colors.ts";
import { remediated } from "./commands.ts";
import { type CommandResult, type Console, readInput } from "./session.ts";

export interface PushOptions {
  /** Shows what the JWT changes beyond a renewal, and pushes it if a person says yes. */
  readonly allowChanges: boolean;
  /** It may expire before what is in force does. */
  readonly allowEarlierExpiry: boolean;
  /** Brings back an account that somebody deleted. */
  readonly undelete: boolean;
  readonly yes: boolean;
}

/** Pushes a JWT from a file (`-` for standard input). */
export async function push(
  app: App,
  console: Console,
  file: string,
  { allowChanges, allowEarlierExpiry, undelete, yes }: PushOptions,
): Promise<CommandResult> {
  const token = await readToken(file);
  const context = await app.context();
  const allowed = allowEarlierExpiry ? (["expires_earlier"] as const) : [];
  const preview = allowChanges ? await previewPush(context, token, allowed) : undefined;
  const account = preview?.account ?? context.codec.decode(token).document.claims.sub;
  const name = app.nameOf(account);
  // What is refused whatever a person says goes on to the gate, which journals it.
  const isQuestion = preview !== undefined && preview.changes.length > 0 && preview.refusals.length === 0;
  if (
    isQuestion &&
    !yes &&
    !app.mode.dryRun &&
    !(await console.confirm(question(name, preview), `changing the claims of ${name}`))
  )
    return {
      json: { account, pushed: false, changes: changesJson(preview.changes) },
      lines: () => ["nothing was pushed"],
      exit: EXIT.ok,
    };
  const pushed = await app.remediate({
    account,
    action: "push",
    trigger: "manual",
    reason: `relight push ${file}`,
    token,
    allowed,
    ...(undelete ? { undelete } : {}),
    ...(preview?.comparedWith === undefined ? {} : { acceptedOver: preview.comparedWith }),
  });
  const result = remediated(pushed);
  if (!app.mode.dryRun || preview === undefined) return result;
  const changes = { changes: changesJson(preview.changes) };
  return {
    json: { ...(result.json as object), ...changes },
    lines: () => [...renderChanges(preview.changes), ...result.lines()],
    exit: result.exit,
  };
}

async function readToken(file: string): Promise<string> {
  const text = await readInput(file).catch((cause: unknown) => {
    throw new RelightError("usage", `the JWT's file ${file} ${(cause as Error).message}`, { cause });
  });
  return text.trim();
}

function question(name: string, { changes }: PushPreview): string[] {
  return [`${colors.bold(name)}: its claims would change`, ...renderChanges(changes)];
}
