import { epochMillis } from "../../domain/time/time.ts";
import type { Clock } from "../../ports/clock.ts";

/** The machine's clock. */
export const systemClock: Clock = { now: () => epochMillis(Date.now()) };
