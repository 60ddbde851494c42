import type { RungId } from "../../domain/ladder/rung.ts";
import { YOUNG } from "../../domain/observation/still-there.ts";
import { type Millis, millis } from "../../domain/time/time.ts";

const within = (timeout: number, interval: number) => ({
  timeout: millis(timeout),
  interval: millis(interval),
});

/** Groups elect, and copies follow their origins again within ten to fifteen seconds (ran: 2.9.10, 2.10.27, 2.15.1). */
const ELECTED = millis(20_000);
/** How long after a remedy its effect may show. */
const SETTLES: Readonly<Record<RungId, Millis>> = {
  /** In a cluster servers enable JetStream a second or more after they run what was pushed. */
  "push-again": millis(5_000),
  "restore-consumers": ELECTED,
  "step-down-leaders": ELECTED,
  "scale-up": ELECTED,
  "toggle-direct-gets": ELECTED,
  "touch-metadata": ELECTED,
  "toggle-jetstream": ELECTED,
  /** Servers tell each other what they store every one and a half seconds (`usageTick`). */
  "enter-tiers": millis(10_000),
  /** Leafnodes bind again within seconds, and copies follow after them. */
  "restart-servers": millis(30_000),
};

/**
 * How long use cases wait, and how often they look meanwhile. Not for users to configure: tests give `openApp` other
 * times. What only decides, as when a storm ends, is a constant of the domain.
 */
export const TIMING = {
  /** A lease outlives its dead holder by no more than this, so that nobody waits long to finish its job. */
  leaseLasts: millis(30_000),
  /** How often a living holder extends its lease: one heartbeat may fail, and two more come in time. */
  leaseHeartbeat: millis(10_000),
  /**
   * How long a queued job waits for a busy account. To fail costs it more: the message is seen again only after the
   * queue's visibility timeout (18 minutes in serverless.yml) with everything behind it, and each such return is one of
   * the few before the dead letters. So it waits for longer than a lease outlives its holder.
   */
  busy: within(35_000, 1_000),

  /** A fault of a stream or a consumer must be found for so long without a break: an election takes less. */
  believedAfter: millis(1_000),
  /** What is younger is still being made: it is waited for before its fault is believed. */
  young: YOUNG,
  /** The longest pause between two looks that are to agree; a look at hundreds of streams costs something. */
  looksAgainEvery: millis(1_000),
  /** Servers tell each other what they store every one and a half seconds (`usageTick`). */
  countsWithin: millis(5_000),
  /** A replica looks every two seconds whether it has all messages; servers elect another leader within four to nine. */
  catchesUpWithin: millis(10_000),
  /** Leafnodes bind again within seconds, copies follow within ten to fifteen (ran: 2.9.10, 2.10.27, 2.15.1). */
  reconnectsWithin: millis(30_000),
  /** Doctor looks again at a layer that seems dead: an election looks like a death. */
  doctorConfirms: within(1_000, 250),

  /** Servers run what they accepted within milliseconds; a busy one takes longer. */
  pushProved: within(10_000, 100),
  /** To give an account its JetStream back a server recovers its files. */
  jetStreamSwitched: within(30_000, 100),
  /** A new account's JetStream can take a second or more to be there on every server. */
  limitsInForce: within(30_000, 250),

  settles: SETTLES,
  /** How often the effect of a remedy is looked for while it settles. */
  settlesLookedAt: millis(250),
  /** What seems to be missing may be told again, as after an election. */
  missing: within(5_000, 500),
  /** Groups that step down are heard under their new leaders. */
  election: within(8_000, 250),
  /** Changed groups are whole again; a new replica that copies a stream gets more, by its size. */
  replicasCurrent: within(30_000, 250),

  /** A moment that the restart guard objects to passes, an election for instance. */
  restartAllowed: within(15_000, 1_000),
  /** A restarted server is back, and then everything is whole again: recovering large files takes minutes. */
  serverBack: within(300_000, 1_000),
  /** The account's own streams elect before the next server is restarted. */
  streamsLed: within(45_000, 500),

  watch: {
    /** Events of one account within this time are one job. */
    debounce: millis(1_000),
    /** Servers need a moment to apply a push. In a cluster, JetStream is enabled a second or more later. */
    afterPush: millis(2_000),
    /** After a change in the cluster, leaders are elected and streams recovered first. */
    afterChange: millis(5_000),
    /** An account that always gives cause for another job is worked on at growing intervals: it takes no turn from others. */
    firstPause: millis(2_000),
    longestPause: millis(60_000),
    /** Another process that is at work on the account is given the time of a short job, once. */
    busyAgain: millis(10_000),
  },
};

/** See {@link TIMING}. */
export type Timing = Readonly<typeof TIMING>;
