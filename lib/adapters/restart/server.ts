import type { JsonObject } from "../../domain/time/json.ts";
import { RelightError } from "../../errors.ts";
import type { Restarter } from "../../ports/remedies.ts";

/** A server to restart. */
export type Server = Parameters<Restarter["restart"]>[0];

/** Redacts a text that comes from outside. */
export type RedactText = (text: string) => string;

/** Servers choose their own names, so a name must be harmless in a command line, a path and a URL. */
const HARMLESS = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,252}$/;

/** @throws RelightError `restart.failed` if the name or the id could mean anything but a name. */
export function assertHarmless(server: Server): void {
  for (const [what, text] of [
    ["name", server.name],
    ["id", server.id],
  ] as const)
    if (!HARMLESS.test(text))
      throw restartFailed(
        server,
        `its ${what} is refused: it may contain only A-Z, a-z, 0-9, ".", "_" and "-", and must not start with "-" or "."`,
        { begun: false },
      );
}

/** `begun` is false only if nothing was done to the server for certain. */
export interface Failure extends JsonObject {
  readonly begun: boolean;
}

/** The error of all restarters; `why` must be redacted. */
export function restartFailed({ id, name }: Server, why: string, details: Failure): RelightError {
  return new RelightError("restart.failed", `restarting the server ${JSON.stringify(name)} failed: ${why}`, {
    details: { server: { id, name }, ...details },
  });
}
