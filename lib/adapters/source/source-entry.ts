import { undecorated } from "../../domain/claims/jwt-text.ts";
import { isForOthers, subjectOf } from "../../domain/expiry/expiring-tokens.ts";
import { defined } from "../../domain/time/defined.ts";
import { asRelightError } from "../../errors.ts";
import type { JwtCodec } from "../../ports/keys.ts";
import type { SourceEntry } from "../../ports/source.ts";

/**
 * What a text in a source of truth is; undefined for the JWT of an operator or a user, which is no account's. Returns
 * problems instead of throwing, because they must not hide other entries.
 */
export function entryOf(place: string, text: string, codec: JwtCodec): SourceEntry | undefined {
  const token = undecorated(text);
  try {
    return { ok: true, place, jwt: codec.decode(token) };
  } catch (thrown) {
    if (isForOthers(token)) return undefined;
    return { ok: false, place, problem: asRelightError(thrown).message, ...defined({ account: subjectOf(token) }) };
  }
}
