import { limitObjection } from "../limits/fit.ts";
import type { Counted } from "../limits/limit-usage.ts";
import { exceeds } from "../limits/room.ts";
import { tierEntries } from "../limits/tier-entries.ts";
import { type DirectToggles, directToggles, updateDanger } from "../observation/direct-gets.ts";
import { missedConsumers, restorations } from "../observation/forgotten.ts";
import type { Observation, StreamFacts } from "../observation/observation.ts";
import { isTouchProved, TOUCH_PROVED } from "../verdict/defects.ts";
import { hasFinding } from "../verdict/verdict.ts";
import { type Reconfiguration, type ScaleUps, scaleUps, touches } from "./reconfiguration.ts";
import { serversToRestart } from "./restart.ts";
import type { Rung, Situation } from "./rung.ts";
import { cannotAsk, cannotPush, losesMemory, losesMemoryByRestart, notAlone } from "./rung-objections.ts";
import {
  deafConsumerGroups,
  deafStreamGroups,
  type Group,
  groupsWithoutHeir,
  nameOfGroup,
  silencedMirrorGroups,
} from "./step-down.ts";

const PUSH_AGAIN: Rung = {
  id: "push-again",
  title: "push the claims in force again as a new JWT",
  risk: "none: the claims stay as they are",
  undo: "none needed",
  targets: wholeAccount,
  helps: ({ verdict }) => {
    if (hasFinding(verdict, "claims.drift")) return "a server runs other claims than the resolver holds";
    if (hasFinding(verdict, "claims.untrusted"))
      return "the resolver or a server has a JWT that no trusted issuer signed";
    if (hasFinding(verdict, "account.not_in_resolver")) return "the resolver lost the account's JWT";
    // A byte-identical JWT is a no-op to the server, so it gets a new jti. It never revives deaf streams.
    if (hasFinding(verdict, "jetstream.not_enabled"))
      return "the claims allow JetStream and a server did not enable it";
    return undefined;
  },
  forbids: cannotPush,
};

const RESTORE_CONSUMERS: Rung = {
  id: "restore-consumers",
  title: "make consumers anew that the cluster has forgotten, where a server still holds them",
  risk: "none on a stream of one replica; on another one it might start over, so there it is refused",
  undo: "none needed: nothing that exists is changed",
  targets: ({ observation }) => restorations(observation).possible.map(nameOfGroup),
  helps: ({ observation }) => {
    const { possible, refused } = restorations(observation);
    return possible.length + refused.length > 0
      ? "the server that holds a consumer takes it up again where it was"
      : undefined;
  },
  forbids: (situation) => {
    const mute = cannotAsk(situation);
    if (mute !== undefined) return mute;
    const { observation } = situation;
    const { possible, refused } = restorations(observation);
    if (possible.length > 0) return limitObjection(observation, (streams) => [withForgotten(streams)]);
    return refused.map(({ name, why }) => `consumer ${name}: ${why}`).join("; ");
  },
};

const STEP_DOWN_LEADERS: Rung = {
  id: "step-down-leaders",
  title: "let the leaders of deaf streams, then of deaf consumers, step down",
  risk: "each has no leader for a moment",
  undo: "none needed",
  targets: ({ observation }) => groupsToStepDown(observation).map(nameOfGroup),
  // Proved on 2.9.10 and 2.10.27 for streams and consumers with replicas, on file and in memory.
  helps: ({ observation }) =>
    groupsToStepDown(observation).length > 0 ? "the replica that takes over subscribes anew" : undefined,
  forbids: (situation) => {
    const mute = cannotAsk(situation);
    if (mute !== undefined) return mute;
    const { observation } = situation;
    const groups = groupsWithoutHeir(observation);
    return groups.length === 0 ? undefined : `no replica is current in ${groups.join(", ")}`;
  },
};

const SCALE_UP: Rung = {
  id: "scale-up",
  title:
    "give deaf streams and consumers of one replica two more, let their leaders step down, take the two back",
  risk: "each stream is copied twice for a while, and has no leader for a moment; an ephemeral consumer may start over",
  undo: "take the replicas back (the journal holds each configuration before the first change)",
  targets: ({ observation }) => scaleUps(observation).possible.flatMap(namesOfChange),
  // Proved on 2.9.10, 2.10.27, 2.11.1 and 2.15.1, on file and in memory, consumers of one replica too; ephemeral ones
  // from 2.10 on only.
  helps: ({ observation }) => {
    const { possible, refused } = isClustered(observation) ? scaleUps(observation) : NOTHING;
    return possible.length + refused.length > 0
      ? "with replicas a leader can step down, and the one that takes over subscribes anew"
      : undefined;
  },
  forbids: (situation) => cannotAsk(situation) ?? allRefused(scaleUps(situation.observation)),
};

const TOGGLE_DIRECT_GETS: Rung = {
  id: "toggle-direct-gets",
  title: "turn direct gets of streams off and on again, where they are not answered",
  risk: "for a second nobody answers them; writing and consuming go on",
  undo: "turn them on again (the journal holds each configuration before the first change)",
  targets: ({ observation }) => directToggles(observation).possible.map(({ stream }) => stream),
  // Proved on 2.9.25, 2.10.27 and 2.11.1, for three replicas and one; on 2.9.10 for one only.
  helps: ({ observation }) => {
    // Alone a server gets them back with its streams, by the next rung: turned on before it, they would be left behind.
    if (!isClustered(observation)) return undefined;
    const { possible, refused } = directToggles(observation);
    return possible.length + refused.length > 0
      ? "each replica subscribes anew to the direct gets when they are turned on"
      : undefined;
  },
  forbids: (situation) =>
    cannotAsk(situation) ??
    updateDanger(situation.observation) ??
    allRefused(directToggles(situation.observation)),
};

const TOUCH_METADATA: Rung = {
  id: "touch-metadata",
  title:
    "change a value in the metadata of damaged streams and consumers, or their replicas, and change it back",
  risk: "none where it is proved; on other versions the servers panic, so there it is refused",
  undo: "change the configurations back (the journal holds each before the first change)",
  targets: ({ observation, memorySeen }) => touches(observation, memorySeen, "").flatMap(namesOfChange),
  helps: ({ observation, memorySeen }) =>
    touches(observation, memorySeen, "").length > 0
      ? "each server then makes anew what it lost by a restart while the account was expired"
      : undefined,
  forbids: (situation) => {
    const mute = cannotAsk(situation);
    if (mute !== undefined) return mute;
    const { observation, memorySeen } = situation;
    const unproved = observation.servers.filter(({ version }) => !isTouchProved(version));
    if (unproved.length === 0) return exceeds(observation, touches(observation, memorySeen, ""));
    const names = unproved.map(({ name, version }) => `${name} (${version})`).join(", ");
    return `servers that are not proved to survive it: ${names}; ${TOUCH_PROVED.why}`;
  },
};

const TOGGLE_JETSTREAM: Rung = {
  id: "toggle-jetstream",
  title: "take JetStream from the account and give it back, by claims",
  risk: "for a second the account has no JetStream; what is in memory only is made anew, empty",
  undo: "push the claims with JetStream again (the journal holds them before the first push)",
  targets: wholeAccount,
  helps: ({ verdict }) =>
    hasFinding(verdict, "stream.deaf") ||
    hasFinding(verdict, "consumer.deaf") ||
    hasFinding(verdict, "stream.direct_deaf")
      ? "the server then starts the account's streams and consumers anew from their files"
      : undefined,
  forbids: (situation) => {
    const { observation } = situation;
    return (
      cannotPush(situation) ??
      notAlone(observation) ??
      losesMemory(situation) ??
      limitObjection(observation, (streams) => [withForgotten(streams)])
    );
  },
};

const ENTER_TIERS: Rung = {
  id: "enter-tiers",
  title: "update streams that count in no tier, and change them back, which moves them into their tiers",
  risk: "none: the streams have another description for a moment",
  undo: "change the descriptions back (the journal holds each configuration before the first change)",
  targets: ({ observation }) => tierEntries(observation).map(({ stream }) => stream),
  // Proved on 2.9.10, 2.10.27 and 2.15.1, for one replica and three.
  helps: ({ verdict }) =>
    hasFinding(verdict, "limit.outside_tiers")
      ? "with an update a stream counts in the tier of its replicas, and takes messages"
      : undefined,
  forbids: (situation) =>
    cannotAsk(situation) ?? updateDanger(situation.observation) ?? limitObjection(situation.observation),
};

const RESTART_SERVERS: Rung = {
  id: "restart-servers",
  title: "restart the servers that hold what is dead, one at a time, each only if nothing else can be hurt",
  risk: "each server is away for a moment; what is in memory only, and on one server only, is lost",
  undo: "none; between two servers everything is proved to be whole again",
  targets: wholeAccount,
  // Proved on 2.10.27 and 2.15.1 for damage by a restart while expired; on 2.9.10 and 2.10.27 for deaf streams.
  helps: ({ observation }) =>
    serversToRestart(observation).length > 0
      ? "a server that starts with the account in force makes all of its streams and consumers anew"
      : undefined,
  forbids: (situation) => {
    if (!situation.canRestart)
      return situation.whyNoRestart ?? "no way to restart servers is configured (restart)";
    return losesMemoryByRestart(situation) ?? limitObjection(situation.observation);
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

/** Why nothing of it is possible; undefined where something is. */
function allRefused({ possible, refused }: ScaleUps | DirectToggles): string | undefined {
  if (possible.length > 0) return undefined;
  return refused.map(({ stream, why }) => `stream ${stream}: ${why}`).join("; ");
}

const NOTHING: ScaleUps = { possible: [], refused: [] };

function groupsToStepDown(observation: Observation): readonly Group[] {
  return [
    ...deafStreamGroups(observation),
    ...silencedMirrorGroups(observation),
    ...deafConsumerGroups(observation),
  ];
}

function wholeAccount({ observation }: Situation): readonly string[] {
  return [observation.account];
}

/** A stream and each of its consumers is a target of its own: one that is left over may be tried. */
function namesOfChange({ stream, during, consumers }: Reconfiguration): readonly string[] {
  const own = during === undefined ? [] : [stream];
  return [...own, ...consumers.map(({ name }) => nameOfGroup({ stream, consumer: name }))];
}

function isClustered({ servers }: Observation): boolean {
  return servers.some(({ topology }) => topology === "clustered");
}

/** With the consumers that a server makes again beside those that are known. */
function withForgotten(streams: readonly StreamFacts[]): readonly Counted[] {
  return streams.map((stream) => ({
    ...stream,
    consumers: [...stream.consumers, ...missedConsumers(stream)],
  }));
}
