import type { BegunPush } from "../../domain/journal/unfinished.ts";
import { defined } from "../../domain/time/defined.ts";
import { epochSeconds } from "../../domain/time/time.ts";
import type { ProvedPush } from "./push.ts";

/** A push, for people and programs. */
export function describePush({ document, servers, changes, forgotten, caution }: ProvedPush) {
  const { jti, iss, iat, exp } = document.claims;
  return { jti, iss, iat, exp: exp ?? null, servers, changes, ...defined({ forgotten, caution }) };
}

/** A push by a crashed job, for people and programs. */
export function describeBegun({
  jwt,
  servers,
  changes,
}: BegunPush & Pick<ProvedPush, "servers">): ReturnType<typeof describePush> {
  const { jti, iss, iat, exp } = jwt;
  return {
    jti,
    iss: String(iss),
    iat: epochSeconds(Number(iat)),
    servers,
    changes,
    exp: exp == null ? null : epochSeconds(Number(exp)),
  };
}
