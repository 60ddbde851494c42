import { createAccount, createOperator } from "@nats-io/nkeys";
import type { AccountId } from "../../lib/domain/claims/account.ts";
import type { EntryKind } from "../../lib/domain/journal/journal.ts";
import type { Json, JsonObject } from "../../lib/domain/time/json.ts";
import { type EpochMillis, epochMillis, isoTime } from "../../lib/domain/time/time.ts";
import type { Health } from "../../lib/domain/verdict/verdict.ts";
import type { Journal } from "../../lib/ports/journal.ts";

/** A journal as a console finds it: a fleet with a history. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export interface SeededAccount {
  readonly name: string;
  readonly health: Health;
  /** From now; absent if it never expires. */
  readonly expiresIn?: number;
  /** Since the last check. */
  readonly age?: number;
  readonly isManual?: boolean;
}

const OPERATOR = createOperator().getPublicKey();

/** Each seed of the same text gives the same ids, so pictures can be made again. */
export function seeder(journal: Pick<Journal, "append">, now: EpochMillis) {
  const put = (account: AccountId, job: string, kind: EntryKind, ago: number, data: JsonObject): Promise<void> =>
    journal.append({ at: epochMillis(now - ago), job, account, kind, data });

  async function claims(account: AccountId, name: string, expiresIn: number | undefined, ago: number): Promise<void> {
    const iat = Math.floor((now - 60 * DAY) / 1000);
    const exp = expiresIn === undefined ? {} : { exp: Math.floor((now + expiresIn) / 1000) };
    const jti = `JTI${account.slice(1, 20)}`;
    const text = JSON.stringify({
      jti,
      iat,
      iss: OPERATOR,
      name,
      sub: account,
      ...exp,
      nats: { type: "account", version: 2, limits: {} },
    });
    await put(account, `${account}-claims`, "claims.seen", ago, { jti, name, claims: text });
  }

  async function check(account: AccountId, it: SeededAccount, findings: Json[] = [], more: JsonObject = {}) {
    const { health, expiresIn, age = MINUTE, isManual = false } = it;
    const job = `${account}-check-${age}`;
    const reason = { action: "remediate", trigger: "schedule", reason: "the last check is old", correlation: job };
    await put(account, job, "job.started", age + 2 * SECOND, reason);
    await put(account, job, "verdict", age + SECOND, verdictOf(account, health, findings, now - age));
    const times =
      expiresIn === undefined
        ? {}
        : {
            ...{
              expiresAt: now + expiresIn,
              opensAt: now + expiresIn - 30 * DAY,
              closesAt: now + expiresIn - 15 * DAY,
            },
            ...{ warnAt: now + expiresIn - 10 * DAY, pageAt: now + expiresIn - 5 * DAY },
            ...(isManual ? {} : { renewAt: now + expiresIn - 22 * DAY }),
          };
    const outcome = health === "healthy" ? "healthy" : "escalated";
    const end = { outcome, correlation: job, jti: `JTI${account.slice(1, 20)}`, verdict: health, ...times };
    await put(account, job, "job.finished", age, { ...end, verifiedAt: now - age, ...more });
  }

  return {
    put,
    claims,
    check,
    /** An account whose last check said this. */
    account: async (it: SeededAccount, findings: Json[] = []): Promise<AccountId> => {
      const account = createAccount().getPublicKey() as AccountId;
      await claims(account, it.name, it.expiresIn, 59 * DAY);
      await check(account, it, findings);
      return account;
    },
  };
}

export type Seeder = ReturnType<typeof seeder>;

const SERVERS = ["nats-0", "nats-1", "nats-2"].map((name) => ({
  name,
  version: "2.10.27",
  topology: "clustered",
  resolver: "full",
}));

function verdictOf(account: string, verdict: Health, findings: readonly Json[], at: number): JsonObject {
  const diagnosis =
    verdict === "dead"
      ? ["2.10.27 has nats-server #6806: JetStream stays dead after an account expired and was renewed"]
      : [];
  return {
    ...{
      account,
      verdict,
      depth: "account",
      observedAt: isoTime(epochMillis(at)),
      servers: SERVERS,
      streams: 3,
      consumers: 4,
    },
    ...{ leafnodes: [{ server: "nats-0", name: "edge-berlin" }], findings: [...findings], warnings: [], diagnosis },
  };
}

export const finding = (stream: string, code = "stream.deaf", health: Health = "dead"): JsonObject => ({
  ...{ code, health, subject: { stream, server: "nats-1" } },
  message: `JetStream does not listen on ${stream.toLowerCase()}.* of stream ${stream}`,
  advice: "relight heal revives it without losing a message.",
  evidence: { subject: `${stream.toLowerCase()}.*`, interest: 0, servers: ["nats-0", "nats-1", "nats-2"] },
});

/** An outage as jobs record it: an expired account was renewed by hand, and stayed dead until it was healed. */
export async function seedOutage(
  { put, claims }: Seeder,
  account: AccountId,
  name: string,
  now: EpochMillis,
  ago: number,
) {
  const key = `relight/${OPERATOR}/${account}/jetstream_dead`;
  const job = `${account}-outage`;
  const at = (after: number): number => ago - after;
  await claims(account, name, 88 * DAY, ago + 10 * DAY);
  const reason = { action: "remediate", trigger: "event", reason: "the account was renewed", correlation: job };
  await put(account, job, "job.started", at(0), reason);
  const findings = [finding("ORDERS"), finding("JOBS")];
  await put(account, job, "verdict", at(2 * SECOND), verdictOf(account, "dead", findings, now - ago));
  await put(account, job, "rung.started", at(3 * SECOND), {
    rung: "step-down-leaders",
    why: "a new leader subscribes again",
  });
  await put(account, job, "rung.finished", at(15 * SECOND), {
    rung: "step-down-leaders",
    result: "no_effect",
    why: "a new leader subscribes again",
  });
  await put(account, job, "verdict", at(16 * SECOND), verdictOf(account, "dead", findings, now - ago));
  await put(account, job, "rung.started", at(17 * SECOND), {
    rung: "scale-up",
    why: "the leaders of single-replica assets can then step down, too",
  });
  await put(account, job, "incident.opened", at(20 * SECOND), {
    ...{
      key,
      failureClass: "jetstream_dead",
      severity: "critical",
      summary: "ORDERS and JOBS are deaf",
      delivery: "delivered",
    },
    since: isoTime(epochMillis(now - ago - 4 * MINUTE)),
  });
  await put(account, job, "rung.finished", at(29 * SECOND), {
    rung: "scale-up",
    result: "helped",
    why: "the leaders of single-replica assets can then step down, too",
  });
  await put(account, job, "verdict", at(30 * SECOND), verdictOf(account, "healthy", [], now - ago + 30 * SECOND));
  await put(account, job, "incident.resolved", at(31 * SECOND), { key });
  await put(account, job, "job.finished", at(31 * SECOND), { outcome: "healed", correlation: job, verdict: "healthy" });
}

/** The page of a dead account, as it was sent. */
export const openPage = (account: AccountId, name: string, now: EpochMillis): JsonObject => ({
  ...{ key: `relight/${OPERATOR}/${account}/jetstream_dead`, failureClass: "jetstream_dead", severity: "critical" },
  ...{
    summary: "2 streams are deaf",
    delivery: "delivered",
    since: isoTime(epochMillis(now - 9 * MINUTE)),
    classes: ["jetstream_dead"],
  },
  page: {
    title: `[CRITICAL] ${name}: JetStream is dead`,
    parts: [
      { heading: "Impact", lines: ["Publishers get 503 no responders, and consumers get nothing."] },
      {
        heading: "What is wrong",
        lines: ["JetStream does not listen on orders.* of stream ORDERS", "2.10.27 has nats-server #6806"],
      },
      { heading: "What to do now", lines: ["Apply the remedies: `relight heal`."] },
      { heading: "Run this", lines: [`relight heal ${name}`], isCommand: true },
    ],
  },
});

/** Names that a hostile person could give an account. */
export const HOSTILE = [
  `<script>alert(document.domain)</script>`,
  `"><img src=x onerror=alert(1)>`,
  `\u202Egnp.exe\u202C \u0000\u001b[31mred`,
  `x`.repeat(1_000),
  `שלום-עולם`,
] as const;

/** A fleet of some size with every kind of account. */
export async function seedFleet(journal: Pick<Journal, "append">, now: EpochMillis) {
  const seed = seeder(journal, now);
  const shop = await seed.account({ name: "shop-orders", health: "dead", expiresIn: 34 * DAY, age: 4 * MINUTE }, [
    finding("ORDERS"),
    finding("JOBS"),
    finding("ORDERS", "consumer.deaf"),
  ]);
  await seed.put(
    shop,
    `${shop}-check-${4 * MINUTE}`,
    "incident.opened",
    4 * MINUTE,
    openPage(shop, "shop-orders", now),
  );
  await seed.account({ name: "edge-leaf", health: "unknown", expiresIn: 71 * DAY }, [
    finding("TELEMETRY", "probe.failed", "unknown"),
  ]);
  await seed.account({ name: "invoices", health: "healthy", expiresIn: 3 * DAY, isManual: true });
  await seed.account({ name: "metrics", health: "degraded", expiresIn: 52 * DAY }, [
    finding("SAMPLES", "stream.replica_away", "degraded"),
  ]);
  const healed = createAccount().getPublicKey() as AccountId;
  await seedOutage(seed, healed, "payments", now, 2 * DAY);
  const streams = ["JOBS", "ORDERS", "REFUNDS"].map((name) => ({
    name,
    servers: ["nats-0", "nats-1", "nats-2"],
    consumers: [{ name: "worker" }],
  }));
  await seed.put(healed, "seen", "streams.seen", 2 * DAY, { streams, whole: true });
  for (const age of [3 * HOUR, 2 * HOUR, HOUR, MINUTE])
    await seed.check(healed, { name: "payments", health: "healthy", expiresIn: 87 * DAY, age });
  const names = ["SYS", "auth", "billing", "catalog", "chat", "ci", "fleet-eu", "fleet-us", "inventory", "ledger"];
  const more = ["mail", "media", "notify", "pricing", "rates", "search", "staging", "stock", "tracking", "web"];
  for (const [index, name] of [...names, ...more].entries())
    await seed.account({
      name,
      health: "healthy",
      expiresIn: (24 + ((index * 37) % 64)) * DAY + index * HOUR,
      age: (index % 5) * MINUTE,
    });
  return { seed, shop, healed };
}
