import type { AccountId } from "../../../lib/domain/claims/account.ts";
import { loaded as loadedOn } from "../../../lib/domain/claims/claims-in-force.ts";
import type { Group } from "../../../lib/domain/ladder/step-down.ts";
import { defined } from "../../../lib/domain/time/defined.ts";
import { RelightError } from "../../../lib/errors.ts";
import type { Assets, Configuration, RefusedConfiguration, Restarter } from "../../../lib/ports/remedies.ts";
import type { Resolver } from "../../../lib/ports/resolver.ts";
import { refusedUser } from "./account-view.ts";
import type { Link } from "./link.ts";
import type { Machines } from "./machines.ts";
import type { VirtualStream } from "./stream.ts";

/** What the account itself may do in a virtual cluster. */
export function virtualAssets(machines: Machines, link: Link, resolver: Pick<Resolver, "running">): Assets {
  const { faults, timeline, timing } = machines;

  /** @throws RelightError `nats.unauthorized`, as for a user that servers refuse. */
  async function signIn(account: AccountId, accountKey: string): Promise<Map<string, VirtualStream>> {
    const running = await resolver.running(account);
    const loaded = loadedOn({ running: { ok: true, value: running } });
    const refused = refusedUser(loaded[0]?.document.claims.nats, account, accountKey);
    if (refused !== undefined || loaded.some(({ expired }) => expired))
      throw new RelightError("nats.unauthorized", refused ?? "the server refused the credentials");
    await link.wait(timing.answer);
    return machines.streamsOf(account);
  }

  function configureOne(streams: Map<string, VirtualStream>, wanted: Configuration): RefusedConfiguration | undefined {
    const { stream: name, consumer, config, create } = wanted;
    const stream = streams.get(name);
    const refuse = (reason: string, gone = false): RefusedConfiguration => ({
      stream: name,
      ...defined({ consumer }),
      reason,
      gone,
    });
    if (stream === undefined) return refuse("stream not found", true);
    const why = faults.refusal(wanted);
    if (why !== undefined) return refuse(why);
    if (consumer !== undefined && !stream.consumers.has(consumer)) {
      if (!create) return refuse("consumer not found", true);
      return createConsumer(stream, wanted);
    }
    const own = consumer === undefined ? stream.refusal(config) : undefined;
    if (own !== undefined) return refuse(own);
    // Without a meta leader nobody answers, and nothing is done.
    if (machines.meta !== undefined && !machines.meta.isLed) return undefined;
    if (faults.isLost(wanted)) return undefined;
    timeline.after(timing.update, () =>
      consumer === undefined ? stream.update(config) : stream.updateConsumer(consumer, config),
    );
    return undefined;
  }

  /** It continues at its position if it is placed on the one server that still has it. */
  function createConsumer(stream: VirtualStream, { consumer, config }: Configuration): undefined {
    const held = stream.forgotten.find(({ name }) => name === consumer);
    const isThere = held !== undefined && stream.replicas === 1 && stream.group.members.includes(held.server);
    stream.forgotten = stream.forgotten.filter(({ name }) => name !== consumer);
    stream.addConsumer(config, isThere ? held.ackFloor : 0);
    return undefined;
  }

  return {
    recreate: async (account, accountKey, assets) => {
      const streams = await signIn(account, accountKey);
      const failures: string[] = [];
      for (const { stream: name, config, consumers, lastSeq } of assets) {
        const why = faults.recreation(name);
        if (why !== undefined) {
          failures.push(`stream ${name} could not be recreated: ${why}`);
          continue;
        }
        if (config !== undefined && !streams.has(name)) machines.addStream(account, config, lastSeq);
        for (const consumer of consumers)
          if (!streams.get(name)?.consumers.has(String(consumer["durable_name"])))
            streams.get(name)?.addConsumer(consumer);
      }
      if (failures.length > 0)
        throw new RelightError("assets.not_created", failures.join("; "), { details: { failures } });
    },
    stepDown: async (account, accountKey, groups) => {
      const streams = await signIn(account, accountKey);
      for (const group of groups) if (!faults.isLost(group)) groupOf(streams, group)?.stepDown();
    },
    configure: async (account, accountKey, configurations) => {
      const streams = await signIn(account, accountKey);
      const refused = configurations.map((wanted) => configureOne(streams, wanted));
      await link.wait(timing.update);
      return refused.filter((refusal) => refusal !== undefined);
    },
    forbidden: async (account, accountKey, needs) => {
      await signIn(account, accountKey);
      return subjectsOf(needs).filter((subject) => faults.denied.has(subject));
    },
  };
}

function groupOf(streams: ReadonlyMap<string, VirtualStream>, { stream, consumer }: Group) {
  const found = streams.get(stream);
  return consumer === undefined ? found?.group : found?.consumers.get(consumer)?.group;
}

/** The subjects of a remedy's requests, as far as tests deny them. */
function subjectsOf({
  recreate = [],
  configure = [],
  stepDown = [],
}: Parameters<Assets["forbidden"]>[2]): readonly string[] {
  const group = ({ stream, consumer }: Group): string =>
    consumer === undefined ? `STREAM.${stream}` : `CONSUMER.${stream}.${consumer}`;
  return [
    ...recreate.map(({ stream }) => `$JS.API.STREAM.CREATE.${stream}`),
    ...configure.map((wanted) => `$JS.API.UPDATE.${group(wanted)}`),
    ...stepDown.map((wanted) => `$JS.API.STEPDOWN.${group(wanted)}`),
  ];
}

/** Restarts servers of a virtual cluster, unless a fault is set. */
export function virtualRestarter(machines: Machines, link: Link): Restarter {
  return {
    restart: async ({ name }) => {
      await link.wait(100);
      const { restart } = machines.faults;
      if (restart === "unbegun")
        throw new RelightError("restart.failed", "the platform refused", { details: { begun: false } });
      if (restart === "failed") throw new RelightError("restart.failed", "the platform did not answer");
      machines.restarts.push(name);
      machines.restart(name, restart === "works");
    },
  };
}
