import type { WatchSettings } from "../lib/compose/compose.ts";
import type { Service } from "../lib/compose/open-service.ts";
import { millis } from "../lib/domain/time/time.ts";
import { errorFields } from "../lib/errors.ts";
import { aborted, listen } from "./listen.ts";
import { createServe, type ServeDependencies } from "./server.ts";

export interface Serving
  extends Pick<ServeDependencies, "console" | "access">,
    Pick<WatchSettings, "sweepEvery" | "report"> {
  readonly service: Service;
  readonly signal: AbortSignal;
  /** Called once requests are taken. */
  readonly onServing: (url: string) => void;
}

/** From the first failure to the last pause between two tries; milliseconds. */
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;
/** The last answers are on their way for this long at most; milliseconds. */
const LAST_ANSWERS = 1_000;

/**
 * Serves and watches until `signal` is aborted; then takes no more requests, and lets the steps under way finish.
 * Resolves to `parked` if they did not within `serve.grace`: the next start finishes them.
 * @throws RelightError `listen.failed`
 */
export async function runServer(serving: Serving): Promise<"ended" | "parked"> {
  const { service, signal, onServing } = serving;
  const server = await listen(createServe(serving), service.settings.listen);
  onServing(server.url);
  const watching = keepWatching(serving);
  await aborted(signal);
  const closed = server.close();
  const done = Promise.all([watching, service.drain()]).then(() => "ended" as const);
  const end = await Promise.race([done, service.clock.sleep(service.settings.grace).then(() => "parked" as const)]);
  await Promise.race([closed, service.clock.sleep(millis(LAST_ANSWERS))]);
  server.end();
  return end;
}

/** Watches, and tries again whatever ends that: a cluster that can't be reached now may be later. */
async function keepWatching({ service, signal, sweepEvery, report }: Serving): Promise<void> {
  let pause = FIRST_PAUSE;
  const onListening = (): void => {
    pause = FIRST_PAUSE;
  };
  while (!signal.aborted) {
    try {
      await service.watch({ sweepEvery, report, onListening, program: "relight serve" });
    } catch (thrown) {
      service.log.error("the cluster can't be listened to; trying again", { pauseMs: pause, ...errorFields(thrown) });
      await service.clock.sleep(millis(pause), signal);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
  }
}
