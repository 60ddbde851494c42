import type { Links } from "../../domain/incidents/page-text.ts";
import { asRelightError, RelightError } from "../../errors.ts";
import type { Escalation } from "../../ports/escalation.ts";
import type { Log } from "../../ports/log.ts";
import { logEscalation } from "./log.ts";

/** A channel, and its name in the log. */
export interface Channel {
  readonly name: string;
  readonly escalation: Escalation;
}

/**
 * Sends to all channels at once and always to the log. One successful channel is enough; each failure is logged. Without
 * channels it says that nobody is called.
 */
export function fanOutEscalation(channels: readonly Channel[], log: Log, links: Links = {}): Escalation {
  const own = logEscalation(log, links);
  return {
    ...(channels.length === 0 ? { hasChannels: false } : {}),
    send: async (incident) => {
      await own.send(incident);
      if (channels.length === 0 && incident.status === "open") log.warn(NOBODY, { incident: incident.key });
      const failures = (
        await Promise.all(channels.map(({ name, escalation }) => tryChannel(name, () => escalation.send(incident))))
      ).filter((failure) => failure !== undefined);
      for (const { channel, error } of failures)
        log.error("escalation channel failed", {
          channel,
          incident: incident.key,
          correlation: incident.correlation,
          error: error.toJSON(),
        });
      if (failures.length > 0 && failures.length === channels.length) throw undeliverable(failures);
    },
  };
}

const NOBODY = "nobody was called: no escalation is configured";

interface Failure {
  readonly channel: string;
  readonly error: RelightError;
}

async function tryChannel(channel: string, send: () => Promise<void>): Promise<Failure | undefined> {
  try {
    await send();
    return undefined;
  } catch (cause) {
    return { channel, error: asRelightError(cause) };
  }
}

function undeliverable(failures: readonly Failure[]): RelightError {
  const reasons = failures.map(({ channel, error }) => `${channel}: ${error.message}`);
  return new RelightError("escalation.undeliverable", `no channel accepted the incident: ${reasons.join("; ")}`, {
    details: { channels: failures.map(({ channel, error }) => ({ channel, ...error.details })) },
    cause: new AggregateError(failures.map(({ error }) => error)),
  });
}
