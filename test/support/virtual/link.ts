import { millis } from "../../../lib/domain/time/time.ts";
import { RelightError } from "../../../lib/errors.ts";
import type { Clock } from "../../../lib/ports/clock.ts";
import type { Machines, VirtualServer } from "./machines.ts";

/** How long to wait for an answer that does not come; milliseconds. */
const TIMEOUT = 5_000;

/** The one connection of a run: to one server, with the servers that were found when it was opened. */
export interface Link {
  /** The servers that were found, whether they are still up or not. */
  readonly known: readonly VirtualServer[];
  /** One request, which takes its time. @throws RelightError `nats.connection_lost` */
  ask(): Promise<void>;
  /** One request to each of these. @throws RelightError `nats.timeout` with the silent ones */
  askEach(servers: readonly VirtualServer[], subject: string): Promise<void>;
  isAlive(server: VirtualServer): boolean;
  /** Reconnects. @throws RelightError `nats.unreachable` */
  reopen(): Promise<void>;
  wait(duration: number): Promise<void>;
}

interface Opened {
  readonly to: VirtualServer | undefined;
  /** Each with its id at that time. */
  readonly ids: ReadonlyMap<VirtualServer, string>;
}

export function openLink(machines: Machines, clock: Clock): Link {
  const { timeline, timing, faults } = machines;
  const open = (): Opened => {
    const up = machines.servers.filter(({ isUp }) => isUp);
    return { to: up[0], ids: new Map(up.map((server) => [server, server.id])) };
  };
  let opened = open();
  const isAlive = (server: VirtualServer): boolean => server.isUp && opened.ids.get(server) === server.id;

  async function wait(duration: number): Promise<void> {
    await clock.sleep(millis(duration));
    timeline.settle();
  }
  async function ask(): Promise<void> {
    await wait(timing.answer);
    if (opened.to === undefined || !isAlive(opened.to))
      throw new RelightError("nats.connection_lost", "the connection to the server is lost");
    if (!faults.isDown) return;
    await wait(TIMEOUT);
    throw new RelightError("nats.timeout", "no server answers");
  }
  return {
    get known() {
      return [...opened.ids.keys()];
    },
    isAlive,
    ask,
    wait,
    askEach: async (servers, subject) => {
      await ask();
      const silent = servers.filter((server) => !isAlive(server)).map(({ name }) => name);
      if (silent.length === 0) return;
      await wait(TIMEOUT);
      const answered = servers.length - silent.length;
      const message = `${answered} of ${servers.length} servers answered ${subject} within ${TIMEOUT} ms; silent: ${silent.join(", ")}`;
      throw new RelightError("nats.timeout", message, { details: { silent } });
    },
    reopen: async () => {
      await wait(timing.answer);
      const next = open();
      if (next.to === undefined)
        throw new RelightError("nats.unreachable", "cannot reach any server: connection refused");
      opened = next;
    },
  };
}
