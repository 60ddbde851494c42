import { limitObjection } from "../limits/fit.ts";
import type { Counted } from "../limits/limit-usage.ts";
import { exceeds } from "../limits/room.ts";
import { tierEntries } from "../limits/tier-entries.ts";
import { type DirectToggles, directToggles, updateDanger } from "../observation/direct-gets.ts";
import { missedConsumers, restorations } from "../observation/forgotten.ts";
import type { Observation, StreamFacts } from "../observation/observation.ts";
import { hasFinding } from "../verdict/verdict.ts";
import { emptiesByRestart, emptiesByToggle } from "./emptied.ts";
import { type Reconfiguration, type ScaleUps, scaleUps, touches } from "./reconfiguration.ts";
import { serversToRestart } from "./restart.ts";
import type { Rung, Situation } from "./rung.ts";
import {
  cannotAsk,
  cannotPush,
  comesBackOlder,
  losesMemory,
  losesMemoryByRestart,
  notAlone,
} from "./rung-objections.ts";
import {
  deafConsumerGroups,
  deafStreamGroups,
  type Group,
  groupsWithoutSuccessor,
  nameOfGroup,
  silencedMirrorGroups,
} from "./step-down.ts";
import { UPDATE, untried, updateObjection } from "./tried/tried.ts";

const PUSH_AGAIN: Rung = {
  id: "push-again",
  title: "push the claims in force again as a new JWT",
  risk: "none: the claims stay as they are",
  undo: "not needed",
  targets: wholeAccount,
  helps: ({ verdict }) => {
    if (hasFinding(verdict, "claims.drift")) return "a server runs different claims than the resolver holds";
    if (hasFinding(verdict, "claims.untrusted"))
      return "the resolver or a server has a JWT that no trusted issuer signed";
    if (hasFinding(verdict, "account.not_in_resolver")) return "the resolver lost the account's JWT";
    // Servers ignore an identical JWT, so it gets a new jti. This never revives deaf streams.
    const off = verdict.findings.find(({ code }) => code === "jetstream.not_enabled");
    if (off !== undefined && off.evidence["lacks"] === undefined)
      return "the claims allow JetStream, but a server did not enable it";
    return undefined;
  },
  forbids: cannotPush,
};

const RESTORE_CONSUMERS: Rung = {
  id: "restore-consumers",
  title: "recreate consumers that the cluster has forgotten on the servers that still hold them",
  risk: "none on single-replica streams; on others a consumer might start over, so it is refused there",
  undo: "not needed: nothing that exists is changed",
  targets: ({ observation }) => restorations(observation).possible.map(nameOfGroup),
  helps: ({ observation }) => {
    const { possible, refused } = restorations(observation);
    return possible.length + refused.length > 0
      ? "a recreated consumer continues at its position on the server that still holds it"
      : undefined;
  },
  forbids: (situation) => {
    const unanswered = cannotAsk(situation);
    if (unanswered !== undefined) return unanswered;
    const { observation } = situation;
    const { possible, refused } = restorations(observation);
    if (possible.length > 0) return limitObjection(observation, (streams) => [withForgotten(streams)]);
    return refused.map(({ name, why }) => `consumer ${name}: ${why}`).join("; ");
  },
};

const STEP_DOWN_LEADERS: Rung = {
  id: "step-down-leaders",
  title: "make the leaders of deaf streams, then of deaf consumers, step down",
  risk: "each has no leader for a moment",
  undo: "not needed",
  targets: ({ observation }) => groupsToStepDown(observation).map(nameOfGroup),
  // Tested on 2.9.10 and 2.10.27 for replicated streams and consumers, on file and in memory.
  helps: ({ observation }) => (groupsToStepDown(observation).length > 0 ? "a new leader subscribes again" : undefined),
  forbids: (situation) => {
    const unanswered = cannotAsk(situation);
    if (unanswered !== undefined) return unanswered;
    const { observation } = situation;
    const groups = groupsWithoutSuccessor(observation);
    return groups.length === 0 ? undefined : `no replica is current in ${groups.join(", ")}`;
  },
};

const SCALE_UP: Rung = {
  id: "scale-up",
  title: "temporarily scale deaf single-replica streams and consumers to R3, and make their leaders step down",
  risk: "each stream is copied twice temporarily, and has no leader for a moment; an ephemeral consumer may start over",
  undo: "remove the added replicas (the journal holds each configuration before the first change)",
  targets: ({ observation }) => scaleUps(observation).possible.flatMap(namesOfChange),
  // Tested on 2.9.10, 2.10.27, 2.11.1 and 2.15.1, on file and in memory, also for single-replica consumers; for ephemeral
  // ones only from 2.10.
  helps: ({ observation }) => {
    const { possible, refused } = isClustered(observation) ? scaleUps(observation) : NOTHING;
    return possible.length + refused.length > 0
      ? "with replicas the leader can step down, and a new leader subscribes again"
      : undefined;
  },
  forbids: (situation) => cannotAsk(situation) ?? allRefused(scaleUps(situation.observation)),
};

const TOGGLE_DIRECT_GETS: Rung = {
  id: "toggle-direct-gets",
  title: "turn unanswered direct gets of streams off and on",
  risk: "no direct get is answered for a second; publishing and consuming continue",
  undo: "turn direct gets on again (the journal holds each configuration before the first change)",
  targets: ({ observation }) => directToggles(observation).possible.map(({ stream }) => stream),
  // Tested on 2.9.25, 2.10.27 and 2.11.1, for three replicas and one; on 2.9.10 only for one.
  helps: ({ observation }) => {
    // On a standalone server the next rung restores them with the streams; turned on before that, they would be remains.
    if (!isClustered(observation)) return undefined;
    const { possible, refused } = directToggles(observation);
    return possible.length + refused.length > 0
      ? "each replica subscribes again when direct gets are turned on"
      : undefined;
  },
  forbids: (situation) =>
    cannotAsk(situation) ?? updateDanger(situation.observation) ?? allRefused(directToggles(situation.observation)),
};

const TOUCH_METADATA: Rung = {
  id: "touch-metadata",
  title: "temporarily change the metadata or the replicas of damaged streams and consumers",
  risk: "none on tested versions; on others the servers panic, so it is refused there",
  undo: "restore the configurations (the journal holds each before the first change)",
  targets: ({ observation, memorySeen }) => touches(observation, memorySeen, "").flatMap(namesOfChange),
  helps: ({ observation, memorySeen }) =>
    touches(observation, memorySeen, "").length > 0
      ? [
          "each server then recreates what it lost in a restart while the account was expired",
          ...untriedOf(observation),
        ].join("; ")
      : undefined,
  forbids: (situation) => {
    const unanswered = cannotAsk(situation);
    if (unanswered !== undefined) return unanswered;
    const { observation, memorySeen } = situation;
    return updateObjection(observation.servers) ?? exceeds(observation, touches(observation, memorySeen, ""));
  },
};

const TOGGLE_JETSTREAM: Rung = {
  id: "toggle-jetstream",
  title: "turn the account's JetStream off and on by pushing claims",
  risk: "the account has no JetStream for a second; what exists only in memory is recreated empty; a stream that is created in that second may run twice until the server restarts",
  undo: "push the claims with JetStream again (the journal holds them before the first push)",
  targets: wholeAccount,
  helps: ({ verdict }) =>
    hasFinding(verdict, "stream.deaf") ||
    hasFinding(verdict, "consumer.deaf") ||
    hasFinding(verdict, "stream.direct_deaf")
      ? "the server then loads the account's streams and consumers from their files again"
      : undefined,
  forbids: (situation) => {
    const { observation } = situation;
    return (
      cannotPush(situation) ??
      notAlone(observation) ??
      emptiesByToggle(observation) ??
      losesMemory(situation) ??
      limitObjection(observation, (streams) => [withForgotten(streams)])
    );
  },
};

const ENTER_TIERS: Rung = {
  id: "enter-tiers",
  title: "move streams that count in no tier into their tiers, by changing their descriptions for a moment",
  risk: "none: only the descriptions change for a moment",
  undo: "restore the descriptions (the journal holds each configuration before the first change)",
  targets: ({ observation }) => tierEntries(observation).map(({ stream }) => stream),
  // Tested on 2.9.10, 2.10.27 and 2.15.1, for one replica and three.
  helps: ({ verdict }) =>
    hasFinding(verdict, "limit.outside_tiers")
      ? "after an update a stream counts in the tier of its replicas and accepts messages"
      : undefined,
  forbids: (situation) =>
    cannotAsk(situation) ?? updateDanger(situation.observation) ?? limitObjection(situation.observation),
};

const RESTART_SERVERS: Rung = {
  id: "restart-servers",
  title: "restart the servers that hold dead streams or consumers, one at a time, each only if nothing else is at risk",
  risk: "each server is away for a moment; what exists only in the memory of one server is lost",
  undo: "none; before the next server, everything is proved to work again",
  targets: wholeAccount,
  // Tested on 2.10.27 and 2.15.1 for damage by a restart while expired; on 2.9.10 and 2.10.27 for deaf streams.
  helps: ({ observation }) =>
    serversToRestart(observation).length > 0
      ? "a server that starts while the account is valid recreates all of its streams and consumers"
      : undefined,
  forbids: (situation) => {
    if (!situation.canRestart) return situation.whyNoRestart ?? "no way to restart servers is configured (restart)";
    return (
      comesBackOlder(situation) ??
      emptiesByRestart(situation.observation) ??
      losesMemoryByRestart(situation) ??
      limitObjection(situation.observation)
    );
  },
};

/** The ladder, cheapest rung first. */
export const LADDER: readonly Rung[] = [
  PUSH_AGAIN,
  RESTORE_CONSUMERS,
  STEP_DOWN_LEADERS,
  SCALE_UP,
  TOGGLE_DIRECT_GETS,
  TOUCH_METADATA,
  TOGGLE_JETSTREAM,
  ENTER_TIERS,
  RESTART_SERVERS,
];

/** The servers' versions on which nobody tried a touch; for people. */
const untriedOf = ({ servers }: Observation): readonly string[] =>
  untried(
    UPDATE,
    servers.map(({ version }) => version),
  );

/** Why everything is refused; undefined if something is possible. */
function allRefused({ possible, refused }: ScaleUps | DirectToggles): string | undefined {
  if (possible.length > 0) return undefined;
  return refused.map(({ stream, why }) => `stream ${stream}: ${why}`).join("; ");
}

const NOTHING: ScaleUps = { possible: [], refused: [] };

function groupsToStepDown(observation: Observation): readonly Group[] {
  return [...deafStreamGroups(observation), ...silencedMirrorGroups(observation), ...deafConsumerGroups(observation)];
}

function wholeAccount({ observation }: Situation): readonly string[] {
  return [observation.account];
}

/** A stream and each of its consumers are separate targets, so a remaining one may be tried again. */
function namesOfChange({ stream, during, consumers }: Reconfiguration): readonly string[] {
  const own = during === undefined ? [] : [stream];
  return [...own, ...consumers.map(({ name }) => nameOfGroup({ stream, consumer: name }))];
}

function isClustered({ servers }: Observation): boolean {
  return servers.some(({ topology }) => topology === "clustered");
}

/** With the forgotten consumers, which a server recreates too. */
function withForgotten(streams: readonly StreamFacts[]): readonly Counted[] {
  return streams.map((stream) => ({
    ...stream,
    consumers: [...stream.consumers, ...missedConsumers(stream)],
  }));
}
