import { parsePageEvent } from "../../lib/adapters/aws/pages/page-events.ts";
import type { SourceAccount } from "../../lib/domain/claims/claims-source.ts";
import type { FailureClass } from "../../lib/domain/incidents/classes.ts";
import type { Incident } from "../../lib/domain/incidents/incident.ts";
import { epochMillis, toSeconds } from "../../lib/domain/time/time.ts";
import { RelightError } from "../../lib/errors.ts";
import type { Context } from "../../lib/usecases/context/context.ts";
import { acknowledge } from "../../lib/usecases/orders/acknowledge.ts";
import { pageSweepFailure, sweepWorked } from "../../lib/usecases/paging/page-sweep.ts";
import { sendPage } from "../../lib/usecases/paging/send-page.ts";
import { type ExpirySources, watchExpiries } from "../../lib/usecases/reports/expiries.ts";
import { newPolicy } from "../domain/policies.ts";
import { UNLIMITED, type VirtualAccount, virtualAccount } from "./virtual/claims.ts";
import { expire, fill, renewByHand } from "./virtual/scenes.ts";
import { APP, KEYS, type VirtualWorld, virtualWorld, WITH_JETSTREAM, type WorldSettings } from "./virtual/world.ts";

/** What happens to an account or the cluster until a page of each class is sent, in virtual time, and how it ends. */
export interface PageScene {
  /** What happens, as docs/pages.md says it. */
  readonly title: string;
  readonly play: (account?: VirtualAccount) => Promise<readonly Incident[]>;
}

const DAY = 86_400;
const MINUTE = 60_000;

/** A job whose failure is paged about is played to its end like any other. */
async function run(world: VirtualWorld, ...order: Parameters<VirtualWorld["run"]>): Promise<void> {
  await world.run(...order).catch((thrown: unknown) => {
    if (!(thrown instanceof RelightError) || thrown.code === "internal") throw thrown;
  });
}

/** A world whose account was seen while it was healthy. */
async function healthyWorld(
  account: VirtualAccount,
  settings: WorldSettings = {},
  has: Parameters<typeof fill>[1] = {},
) {
  const world = virtualWorld({ ...settings, accounts: settings.accounts ?? [account] });
  fill(world, has, account);
  await run(world);
  world.advance(MINUTE);
  return world;
}

const scene =
  (
    settings: WorldSettings,
    has: Parameters<typeof fill>[1],
    prepare: (world: VirtualWorld, account: VirtualAccount) => Promise<void>,
  ) =>
  async (account: VirtualAccount = APP): Promise<readonly Incident[]> => {
    const world = await healthyWorld(account, settings, has);
    await prepare(world, account);
    return world.incidents;
  };

const expiring =
  (days: number, settings: WorldSettings, end: (world: VirtualWorld, account: VirtualAccount) => Promise<void>) =>
  async (account: VirtualAccount = APP): Promise<readonly Incident[]> => {
    const world = virtualWorld({ ...settings, accounts: [account] });
    fill(world, {}, account);
    world.advance((90 - days) * DAY * 1000);
    await run(world);
    world.advance(20 * MINUTE);
    await end(world, account);
    return world.incidents;
  };

async function renewed(world: VirtualWorld, account: VirtualAccount): Promise<void> {
  renewByHand(world, account);
  await run(world);
}

/** A source of truth that says this of the account. */
function withSource(sourced: SourceAccount): Partial<Context> {
  const claims = { name: "folder:jwts", accounts: async function* () {}, lookup: async () => sourced };
  return { source: { claims, onDifference: "page" } };
}

function sourcedFrom(world: VirtualWorld, account: VirtualAccount, limits = WITH_JETSTREAM): SourceAccount {
  const token = world.issue(account, { limits, exp: toSeconds(world.now()) + 80 * DAY, jti: "SOURCED" });
  const { document, signatureValid } = world.context.codec.decode(token);
  return { state: "found", claims: { document, signatureValid }, token, place: "app.jwt" };
}

/** What else than accounts expires, and when; days from now. */
interface Expiries {
  readonly operator?: number;
  readonly credentials?: number;
  readonly certificate?: number;
  readonly activation?: number;
  readonly retiring?: boolean;
}

const token = (payload: object): string => `e30.${Buffer.from(JSON.stringify(payload)).toString("base64url")}.AA`;

async function expiries(now: Expiries): Promise<readonly Incident[]> {
  const exporter = virtualAccount("EXPORTER");
  const exports = [{ name: "orders", subject: "orders.>", type: "stream", token_req: true }];
  const importing = (world: VirtualWorld, days: number) => {
    const at = toSeconds(world.now());
    const nats = { subject: "orders.>", kind: "stream" };
    const activation = token({ iat: at - 80 * DAY, exp: at + days * DAY, iss: exporter.id, sub: APP.id, nats });
    return [{ name: "orders", subject: "orders.>", account: exporter.id, type: "stream", token: activation }];
  };
  const world = virtualWorld({ accounts: [APP, { ...exporter, limits: UNLIMITED, nats: { exports } }] });
  const sweep = async ({
    operator = 300,
    credentials = 300,
    certificate = 80,
    activation = 80,
    retiring = false,
  }: Expiries) => {
    const at = toSeconds(world.now());
    const life = (days: number) => ({ iat: at - 80 * DAY, exp: at + days * DAY });
    world.machines.force(world.issue(APP, { iat: at, nats: { imports: importing(world, activation) } }));
    world.advance(2_000);
    const secrets = {
      "file:operator.jwt": token({ name: "OP", ...life(operator) }),
      "file:sys.creds": `-----BEGIN NATS USER JWT-----\n${token({ name: "relight", ...life(credentials) })}\n------END NATS USER JWT------\n`,
    } as Readonly<Record<string, string>>;
    const sources: ExpirySources = {
      policy: newPolicy(),
      operatorJwt: "file:operator.jwt",
      systemCredentials: "file:sys.creds",
      credentials: [],
      retiring: retiring ? [KEYS.operator.id] : [],
      configured: [APP.id],
      certificates: async () => [
        {
          address: "tls://n1.example.com:4222",
          seen: {
            ok: true,
            value: {
              name: "n1.example.com",
              begins: epochMillis(world.now() - 80 * DAY * 1000),
              expiresAt: epochMillis(world.now() + certificate * DAY * 1000),
            },
          },
        },
      ],
    };
    const read = async (reference: string): Promise<string> => secrets[reference] ?? "";
    await watchExpiries(world.newContext({ secrets: { read } }), sources, world.newId());
  };
  await sweep(now);
  world.advance(2 * 3_600_000);
  await sweep({});
  return world.incidents;
}

const ALARM = "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:relight-prod/sweep-missed";

async function alarms(): Promise<readonly Incident[]> {
  const world = virtualWorld({});
  const send = async (value: string, minute: number): Promise<void> => {
    const timestamp = new Date(Date.UTC(2030, 0, 1, 0, minute)).toISOString();
    const description =
      "No sweep has finished for 15 minutes: nobody watches over the accounts.\nLook at the log of the function sweep; `relight run` sweeps by hand.";
    const detail = {
      alarmName: "relight-prod/sweep-missed",
      state: { value, reason: "no datapoints were received for 3 periods", timestamp },
      configuration: { description },
    };
    const event = { source: "aws.cloudwatch", "detail-type": "CloudWatch Alarm State Change" };
    const body = JSON.stringify({ ...event, region: "eu-central-1", resources: [ALARM], detail });
    await sendPage({ ...world.context, leases: world.journal }, parsePageEvent(body));
  };
  await send("ALARM", 15);
  await send("OK", 40);
  return world.incidents;
}

/** One for each class; a new class has no page in the documents without one. */
export const PAGE_SCENES: Readonly<Record<FailureClass, PageScene>> = {
  jetstream_dead: {
    title:
      "A server of 2.10.27 was renewed by hand after the account expired. Relight may not lose what is in memory, until somebody allows it.",
    play: scene({ version: "2.10.27" }, { memory: true }, async (world, account) => {
      expire(world, account);
      renewByHand(world, account);
      await run(world);
      world.advance(12 * MINUTE);
      await run(world, "heal", { trigger: "manual" }, { policy: { allowMemoryLoss: true } });
    }),
  },
  account_expired: {
    title: "The account is renewed by hand, and nobody did.",
    play: scene({ policy: { manual: true } }, {}, async (world, account) => {
      expire(world, account);
      world.advance(4 * MINUTE);
      await run(world);
      world.advance(6 * MINUTE);
      renewByHand(world, account);
      await run(world);
    }),
  },
  account_deleted: {
    title: "Somebody deletes the account, and brings it back.",
    play: scene({ servers: 3 }, { replicas: 3 }, async (world, account) => {
      world.machines.deleteAccount(account.id);
      world.advance(MINUTE);
      await run(world);
      world.advance(30 * MINUTE);
      await run(world, "renew", { trigger: "manual", undelete: true });
      world.advance(MINUTE);
      await run(world);
    }),
  },
  account_missing: {
    title: "The source of truth has the account; no server and no resolver has it.",
    play: async (account = APP) => {
      const world = virtualWorld({ accounts: [] });
      const source = withSource(sourcedFrom(world, account));
      await run(world, "remediate", { account: account.id }, source);
      world.advance(9 * MINUTE);
      world.machines.force(world.issue(account, { jti: "SOURCED", exp: toSeconds(world.now()) + 80 * DAY }));
      world.advance(2_000);
      await run(world, "remediate", { account: account.id });
      return world.incidents;
    },
  },
  limits_reached: {
    title: "The account's storage is used up, until somebody raises the limit.",
    play: scene({}, {}, async (world, account) => {
      world.machines.force(world.issue(account, { limits: { ...WITH_JETSTREAM, disk_storage: 100 } }));
      world.advance(2_000);
      await run(world);
      world.advance(25 * MINUTE);
      world.machines.force(world.issue(account));
      world.advance(2_000);
      await run(world);
    }),
  },
  assets_lost: {
    title: "A stream has fewer messages than when the account was last healthy.",
    play: scene({}, {}, async (world, account) => {
      world.machines.streamsOf(account.id).get("ORDERS")?.lose();
      await run(world);
      world.advance(40 * MINUTE);
      await acknowledge(world.context, { account: account.id, by: "alice", reason: "test data" });
      await run(world);
    }),
  },
  journal_unproved: {
    title: "Somebody else wrote to the journal.",
    play: scene({}, {}, async (world, account) => {
      const undo = { before: { name: "ORDERS", num_replicas: 1 }, consumers: [] };
      await world.journal.append({
        ...{ at: world.now(), job: "planted", account: account.id, kind: "reconfigure.opened" },
        data: { stream: "ORDERS", undo },
      });
      await run(world);
      world.advance(5 * MINUTE);
      await run(world);
    }),
  },
  renewal_failed: {
    title: "The account is due, and the key that signs can't be read.",
    play: async (account = APP) => {
      const world = virtualWorld({ accounts: [account] });
      fill(world, {}, account);
      world.advance(86 * DAY * 1000);
      world.state.signerIsDown = true;
      await run(world);
      world.advance(35 * MINUTE);
      world.state.signerIsDown = false;
      await run(world);
      return world.incidents;
    },
  },
  readings_disagree: {
    title: "Somebody changed the claims of a critical account that is due.",
    play: async (account = APP) => {
      const world = await healthyWorld(account, { policy: { critical: true } });
      world.advance(80 * DAY * 1000);
      const exp = toSeconds(world.now()) + 9 * DAY;
      world.machines.force(world.issue(account, { exp, limits: { ...WITH_JETSTREAM, conn: 7 } }));
      world.advance(2_000);
      await run(world);
      world.advance(3 * 60 * MINUTE);
      await run(world, "renew", { trigger: "manual" });
      return world.incidents;
    },
  },
  push_refused: {
    title: "The issuer delivers a JWT that lowers a limit.",
    play: scene({}, {}, async (world, account) => {
      const delivered = world.issue(account, { limits: { ...WITH_JETSTREAM, conn: 3 }, jti: "DELIVERED" });
      await run(world, "push", { trigger: "webhook", token: delivered });
      world.advance(5 * MINUTE);
      await run(world);
    }),
  },
  expiry_imminent: {
    title: "Relight may only look, and the account expires in two days.",
    play: expiring(2, { mode: "look" }, renewed),
  },
  expiry_near: {
    title: "The account is renewed by hand, and expires in ten days.",
    play: expiring(10, { policy: { manual: true } }, renewed),
  },
  unknown: {
    title: "No server answers for ten minutes.",
    play: scene({}, {}, async (world) => {
      world.faults.isDown = true;
      await run(world);
      world.advance(10 * MINUTE);
      await run(world);
      world.advance(5 * MINUTE);
      world.faults.isDown = false;
      await run(world);
    }),
  },
  claims_overwritten: {
    title: "The account was renewed, and `nsc push` brings back the claims from before.",
    play: scene({}, {}, async (world, account) => {
      await run(world, "renew");
      const iat = Number(toSeconds(world.now())) - 3_600;
      world.machines.force(world.issue(account, { jti: "STALE", iat, exp: iat + 50 * DAY }));
      world.advance(MINUTE);
      await run(world);
      world.advance(20 * MINUTE);
      await run(world, "renew");
    }),
  },
  claims_differ: {
    title: "The source of truth has other limits than the servers.",
    play: scene({}, {}, async (world, account) => {
      const source = withSource(sourcedFrom(world, account, { ...WITH_JETSTREAM, mem_storage: 2 ** 27 }));
      await run(world, "remediate", {}, source);
      world.advance(20 * MINUTE);
      await run(world);
    }),
  },
  degraded: {
    title: "A server of three is away.",
    play: scene({ servers: 3 }, { replicas: 3 }, async (world) => {
      world.machines.kill("n1");
      world.advance(2 * MINUTE);
      await run(world);
      world.advance(11 * MINUTE);
      world.machines.boot("n1");
      world.advance(MINUTE);
      await run(world);
    }),
  },
  cluster_unreachable: {
    title: "Sweeps can't reach the cluster.",
    play: async () => {
      const world = virtualWorld({});
      const sweep = () =>
        pageSweepFailure(
          world.context,
          world.newId(),
          new RelightError("nats.unreachable", "cannot reach nats://n1:4222"),
        );
      await sweep();
      world.advance(6 * MINUTE);
      await sweep();
      world.advance(14 * MINUTE);
      await sweepWorked(world.context, world.newId());
      return world.incidents;
    },
  },
  operator_expiring: { title: "The operator JWT expires in five days.", play: () => expiries({ operator: 5 }) },
  credentials_expiring: {
    title: "Relight's own credentials expire in five days.",
    play: () => expiries({ credentials: 5 }),
  },
  certificate_expiring: { title: "A server's certificate expires in a day.", play: () => expiries({ certificate: 1 }) },
  activation_expiring: {
    title: "The token of an import expires in three days.",
    play: () => expiries({ activation: 3 }),
  },
  signing_key_retiring: {
    title: "The operator's key is to be removed, and accounts are still signed by it.",
    play: () => expiries({ retiring: true }),
  },
  stack_alarm: { title: "No sweep has finished for 15 minutes.", play: alarms },
};

/** An account of that name, with a key and id of its own. */
export const named = (name: string): VirtualAccount => ({ ...virtualAccount(`named ${name}`), name });
