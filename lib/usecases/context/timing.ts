import type { RungId } from "../../domain/ladder/rung.ts";
import { YOUNG } from "../../domain/observation/still-there.ts";
import { type Millis, millis } from "../../domain/time/time.ts";

const within = (timeout: number, interval: number) => ({
  timeout: millis(timeout),
  interval: millis(interval),
});

/** Elections, and until mirrors and sources follow their origins again: ten to fifteen seconds (tested on 2.9.10, 2.10.27, 2.15.1). */
const ELECTED = millis(20_000);
/** How long a remedy may take to show its effect. */
const SETTLES: Readonly<Record<RungId, Millis>> = {
  /** In a cluster, servers enable JetStream a second or more after they run the pushed claims. */
  "push-again": millis(5_000),
  "restore-consumers": ELECTED,
  "step-down-leaders": ELECTED,
  "scale-up": ELECTED,
  "toggle-direct-gets": ELECTED,
  /** After the elections, mirrors follow (in two of nine runs on 2.9.25 and 2.10.14 later than 20 s). */
  "touch-metadata": millis(30_000),
  "toggle-jetstream": ELECTED,
  /** Servers exchange their storage usage every one and a half seconds (`usageTick`). */
  "enter-tiers": millis(10_000),
  /** Leafnodes bind again within seconds; mirrors and sources follow. */
  "restart-servers": millis(30_000),
};

/**
 * How long use cases wait, and how often they check meanwhile. Not configurable for users, but tests pass other times to
 * `openApp`. Times that only decide something, such as the end of a storm, are constants of the domain.
 */
export const TIMING = {
  /** The maximum time that a lease outlives its crashed holder, because another job must finish the work soon. */
  leaseLasts: millis(30_000),
  /** How often a holder extends its lease: one heartbeat may fail, and two more follow in time. */
  leaseHeartbeat: millis(10_000),
  /**
   * How long a queued job waits for a busy account: longer than a lease outlives its holder. Failing would cost more: the
   * message and all behind it come back only after the queue's visibility timeout (18 minutes in serverless.yml), and after
   * a few such returns it becomes a dead letter.
   */
  busy: within(35_000, 1_000),

  /** How long a fault of a stream or consumer must be found without a gap. An election takes less. */
  confirmedAfter: millis(1_000),
  /** Younger streams and consumers count as being created; their faults count only later. */
  young: YOUNG,
  /** The longest pause between two checks for confirmation, because checking hundreds of streams is expensive. */
  looksAgainEvery: millis(1_000),
  /** Servers exchange their storage usage every one and a half seconds (`usageTick`). */
  countsWithin: millis(5_000),
  /** A replica checks every two seconds whether it is current; servers elect a new leader within four to nine. */
  catchesUpWithin: millis(10_000),
  /** Leafnodes bind again within seconds; mirrors and sources follow within ten to fifteen (tested on 2.9.10, 2.10.27, 2.15.1). */
  reconnectsWithin: millis(30_000),
  /** How long doctor checks a dead layer again, because an election looks dead for a moment. */
  doctorConfirms: within(1_000, 250),

  /** Servers run accepted claims within milliseconds, or later if busy. */
  pushProved: within(10_000, 100),
  /** When JetStream is turned on, a server recovers the account's files. */
  jetStreamSwitched: within(30_000, 100),
  /** Enabling a new account's JetStream on every server can take a second or more. */
  limitsInForce: within(30_000, 250),

  settles: SETTLES,
  /**
   * How long a remedy is given even if another one would treat what is left: after the touch, replicas elect leaders and
   * become current, and until then do not answer direct gets.
   */
  settlesAtLeast: { "touch-metadata": millis(6_000) } as Readonly<Partial<Record<RungId, Millis>>>,
  /** How often to check for the effect of a remedy. */
  settlesLookedAt: millis(250),
  /** A missing stream may be reported again, for instance after an election. */
  missing: within(5_000, 500),
  /** How long until new leaders subscribe after a step-down. */
  election: within(8_000, 250),
  /** How long until changed groups are complete; a new replica gets more time, by the stream's size. */
  replicasCurrent: within(30_000, 250),

  /** How long to wait for a passing objection of the restart guard, such as an election. */
  restartAllowed: within(15_000, 1_000),
  /** How long until a restarted server is back and everything works: recovering large files takes minutes. */
  serverBack: within(300_000, 1_000),
  /** How long the account's own streams may take to elect before the next restart. */
  streamsLed: within(45_000, 500),

  watch: {
    /** Events of one account within this time are one job. */
    debounce: millis(1_000),
    /** Servers need a moment to apply a push. In a cluster, JetStream is enabled a second or more later. */
    afterPush: millis(2_000),
    /** After a change in the cluster, leaders are elected and streams recovered first. */
    afterChange: millis(5_000),
    /** Growing pauses for an account that keeps causing jobs, which must not delay others. */
    firstPause: millis(2_000),
    longestPause: millis(60_000),
    /** How long to wait, once, if another process works on the account: the time of a short job. */
    busyAgain: millis(10_000),
  },
};

/** See {@link TIMING}. */
export type Timing = Readonly<typeof TIMING>;
