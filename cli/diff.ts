import type { App } from "../lib/compose/compose.ts";
import type { ClaimsDocument } from "../lib/domain/claims/claims.ts";
import type { ComparisonState } from "../lib/domain/claims/claims-comparison.ts";
import { isoTime, toMillis } from "../lib/domain/time/time.ts";
import { EXIT, type ExitCode } from "../lib/errors.ts";
import { type AccountDiff, diffAccounts } from "../lib/usecases/reports/diff.ts";
import { changesJson, renderChanges } from "./changes.ts";
import { colors } from "./colors.ts";
import { PAINT, worstExit } from "./levels.ts";
import type { CommandResult } from "./session.ts";

/** `relight diff [ACCOUNT]`: source of truth, resolver and servers, claim by claim. */

const EXIT_OF: Record<ComparisonState, ExitCode> = {
  same: EXIT.ok,
  differs: EXIT.warning,
  missing: EXIT.critical,
  unknown: EXIT.unknown,
};

export async function diff(app: App, account: string | undefined): Promise<CommandResult> {
  const context = await app.context();
  const found = await diffAccounts(context, await app.accounts(account));
  return {
    json: { source: context.source?.claims.name ?? null, accounts: found.map(diffJson) },
    lines: () => (found.length === 0 ? ["no accounts"] : found.flatMap(renderDiff)),
    exit: worstExit(found.map(({ state }) => EXIT_OF[state])),
  };
}

function diffJson({ account, name, state, notes, places, comparisons }: AccountDiff): object {
  const { source, stored, running } = places;
  const sourced = source?.ok && source.value.state === "found" ? source.value : undefined;
  const held = stored.ok ? stored.value?.document : undefined;
  const loaded = running.ok ? running.value : [];
  return {
    account,
    name,
    state,
    notes,
    source: sourced === undefined ? null : { ...jwtJson(sourced.claims.document), place: sourced.place },
    resolver: held === undefined ? null : jwtJson(held),
    running: loaded.map((entry) => ({
      server: entry.server,
      ...(entry.loaded ? { ...jwtJson(entry.document), expired: entry.expired } : { loaded: false }),
    })),
    differences: comparisons.map(({ from, to, changes }) => ({ from, to, changes: changesJson(changes) })),
  };
}

function jwtJson({ claims: { jti, iss, iat, exp } }: ClaimsDocument): object {
  return { jti, iss, iat, exp: exp ?? null };
}

function renderDiff({ name, state, notes, comparisons, places }: AccountDiff): string[] {
  return [
    `${colors.bold(name)}: ${PAINT[EXIT_OF[state]](state)}`,
    ...notes.map((note) => `  ! ${note}`),
    ...ages(places),
    ...comparisons.flatMap(({ from, to, changes }) => [
      `  ${colors.cyan(`${from} → ${to}`)}`,
      ...renderChanges(changes).map((line) => `  ${line}`),
    ]),
  ];
}

/** Which is newer is what one wants to know first. */
function ages({ source, stored }: AccountDiff["places"]): string[] {
  const sourced = source?.ok && source.value.state === "found" ? source.value.claims.document : undefined;
  const held = stored.ok ? stored.value?.document : undefined;
  if (sourced === undefined || held === undefined || sourced.text === held.text) return [];
  const at = ({ claims }: ClaimsDocument): string => isoTime(toMillis(claims.iat));
  return [`  ${colors.dim(`issued: source ${at(sourced)}, resolver ${at(held)}`)}`];
}
