import { describe, expect, test } from "@jest/globals";
import {
  type Deletion,
  describeWithdrawal,
  isWithdrawn,
  lastDeletion,
  type PresenceFacts,
  presenceOf,
} from "../../../lib/domain/claims/presence.ts";
import type { JournalEntry } from "../../../lib/domain/journal/journal.ts";
import type { RunningAccount } from "../../../lib/domain/observation/observation.ts";
import { epochMillis, millis } from "../../../lib/domain/time/time.ts";
import { ACCOUNT, claims, FAILED, NOW, OVER } from "../observations.ts";

const AT = epochMillis(NOW * 1000);
const IAT = NOW - 100;
const NEWER = claims({ jti: "J2", iat: NOW - 1 });
const OLDER = claims({ jti: "J0", iat: IAT - 50 });

const on = (server: string, document = claims(), expired = false): RunningAccount => ({
  server,
  loaded: true,
  expired,
  jetstream: !expired,
  signatureValid: true,
  document,
});
const nowhere: RunningAccount = { server: "s1", loaded: false };
const running = (...value: RunningAccount[]) => ({ ok: true, value }) as const;
const holds = (value?: ReturnType<typeof claims>) => ({ ok: true, value }) as const;
const deletion = (how: Deletion["how"], iat: number = IAT): Deletion => ({ at: AT, how, iat, jti: "J1" });

const facts = (changes: Partial<PresenceFacts>): PresenceFacts => ({
  running: running(on("s1")),
  stored: holds(claims()),
  lastSeen: undefined,
  deletion: undefined,
  now: AT,
  ahead: millis(0),
  ...changes,
});

describe("the presence of an account", () => {
  const refused = running(on("s1", claims(), true));
  const perpetual = claims({ exp: undefined });
  const ended = claims(OVER);
  const uncountable = claims({ exp: 9_999_999_999_999 });
  test.each<[string, Partial<PresenceFacts>, string]>([
    ["it runs", {}, "here"],
    ["it runs and the resolver lost its file", { stored: holds() }, "here"],
    ["the resolver holds it, and no client ever came", { running: running(nowhere) }, "here"],
    ["it runs, and there is no resolver to ask", { stored: { ...FAILED, code: "nats.no_resolver" } }, "here"],
    ["its claims have expired", { running: running(on("s1", ended, true)), stored: holds(ended) }, "expired"],
    ["expired, and deleted by the resolver", { running: running(on("s1", ended, true)), stored: holds() }, "expired"],
    ["expired, deleted and loaded nowhere", { running: running(nowhere), stored: holds(), lastSeen: ended }, "expired"],
    [
      "expired, without a resolver to ask",
      { running: running(nowhere), stored: { ...FAILED, code: "nats.no_resolver" }, lastSeen: ended },
      "expired",
    ],
    ["a server refuses it, and the resolver lacks it", { running: refused, stored: holds() }, "deleted"],
    ["the same of one that never expires", { running: running(on("s1", perpetual, true)), stored: holds() }, "deleted"],
    [
      "a server refuses it, because its exp is too large",
      { running: running(on("s1", uncountable, true)), stored: holds(uncountable) },
      "expired",
    ],
    ["the resolver could not be asked", { running: refused, stored: FAILED }, "deleted"],
    ["the deleted JWT was pushed again", { running: refused }, "deleted"],
    [
      "one server that was away runs it, the others refuse it",
      { running: running(on("s1", claims(), true), on("s2", claims(), true), on("s3")) },
      "deleted",
    ],
    ["an older one was pushed since", { running: refused, stored: holds(OLDER) }, "deleted"],
    ["newer claims are on their way to the servers", { running: refused, stored: holds(NEWER) }, "here"],
    [
      "newer claims run on one server",
      { running: running(on("s1", claims(), true), on("s2", NEWER)), stored: holds() },
      "here",
    ],
    [
      "a fast server expired it early",
      {
        running: running(on("s1", claims({ exp: NOW + 300 }), true)),
        stored: holds(),
        ahead: millis(400_000),
      },
      "expired",
    ],
    [
      "it expires now, and the clocks differ by less than can be measured",
      { running: running(on("s1", claims({ exp: NOW + 1 }), true)), stored: holds() },
      "expired",
    ],
    [
      "valid when last seen, and nobody has it",
      { running: running(nowhere), stored: holds(), lastSeen: claims() },
      "gone",
    ],
    [
      "the same, and no resolver to ask",
      { running: running(nowhere), stored: { ...FAILED, code: "nats.no_resolver" }, lastSeen: claims() },
      "unknown",
    ],
    ["nobody ever had it", { running: running(nowhere), stored: holds() }, "never_here"],
    ["no server answers", { running: FAILED }, "unknown"],
    ["the resolver does not answer, and no server has it", { running: running(nowhere), stored: FAILED }, "unknown"],
  ])("%s", (_what, changes, state) => {
    expect(presenceOf(facts(changes)).state).toBe(state);
  });
});

describe("a deletion in the journal", () => {
  const gone = { running: running(nowhere), stored: holds(), lastSeen: claims() };
  const over = { running: running(nowhere), stored: holds(), lastSeen: claims(OVER) };
  test.each<[string, Partial<PresenceFacts>, string]>([
    ["counts after a restart", { ...gone, deletion: deletion("seen") }, "deleted"],
    ["counts after the claims have expired", { ...over, deletion: deletion("seen") }, "deleted"],
    ["counts if its JWT is restored", { deletion: deletion("seen") }, "deleted"],
    [
      "counts if an older one is restored",
      { running: running(on("s1", OLDER)), stored: holds(OLDER), deletion: deletion("seen") },
      "deleted",
    ],
    [
      "ends with newer claims that run",
      { running: running(on("s1", NEWER)), stored: holds(NEWER), deletion: deletion("seen") },
      "here",
    ],
    [
      "ends with newer claims that no server has loaded yet",
      { running: running(nowhere), stored: holds(NEWER), deletion: deletion("seen") },
      "here",
    ],
    [
      "is over once newer claims were in force: their expiry is an expiry",
      { ...over, lastSeen: claims({ ...OVER, iat: NOW - 50 }), deletion: deletion("seen") },
      "expired",
    ],
    ["a deletion request that servers obeyed", { ...gone, deletion: deletion("ordered") }, "deleted"],
    ["a deletion request for an expired account", { ...over, deletion: deletion("ordered") }, "deleted"],
    ["a deletion request that servers refused", { deletion: deletion("ordered") }, "here"],
    [
      "a deletion request that one server has not obeyed yet",
      { running: running(on("s1", claims(), true), on("s2")), deletion: deletion("ordered") },
      "deleted",
    ],
    ["a missing account after its expiry", { ...over, deletion: deletion("gone") }, "gone"],
    ["an account that was only missing is found again", { deletion: deletion("gone") }, "here"],
  ])("%s", (_what, changes, state) => {
    expect(presenceOf(facts(changes)).state).toBe(state);
  });

  test.each<[string, Partial<PresenceFacts>, readonly string[] | undefined]>([
    ["that servers refused is kept by them", { deletion: deletion("ordered") }, ["the resolver", "s1"]],
    ["after which newer claims came is over", { stored: holds(NEWER), deletion: deletion("ordered") }, undefined],
    ["that servers obeyed is kept by none", { deletion: deletion("seen") }, undefined],
  ])("%s", (_what, changes, by) => {
    const presence = presenceOf(facts(changes));
    expect(presence.state === "here" ? presence.kept?.by : undefined).toEqual(by);
  });

  const entry = (how: string, iat: number, at = 0): JournalEntry => ({
    at: epochMillis(AT + at),
    job: "j",
    account: ACCOUNT,
    kind: "account.deleted",
    data: { how, iat },
  });
  test.each<[string, readonly JournalEntry[], string | undefined]>([
    ["nothing", [], undefined],
    ["heard, then seen", [entry("ordered", 5), entry("seen", 5)], "seen"],
    ["seen, then ordered once more", [entry("seen", 5), entry("ordered", 5)], "seen"],
    ["seen, then newer claims are ordered away", [entry("seen", 5), entry("ordered", 9)], "ordered"],
  ])("of %s the strongest is kept", (_what, entries, how) => {
    expect(lastDeletion(entries)?.how).toBe(how);
  });
});

test("a deletion is described with who refuses the account, and where it is back", () => {
  const seen = presenceOf(facts({ running: running(on("s1", claims(), true), on("s2")), stored: holds(claims()) }));
  expect(isWithdrawn(seen) && describeWithdrawal(seen)).toBe(
    "somebody deleted it; s1 refuses its clients although its claims are valid; its deleted JWT is back on the resolver, s2: a server that was away or could not delete it brings it back, and so does a push of an older copy",
  );
});
