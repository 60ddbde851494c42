import type { Incident } from "../../../lib/domain/incidents/incident.ts";
import { RelightError } from "../../../lib/errors.ts";
import type { Escalation } from "../../../lib/ports/escalation.ts";

export interface FakeEscalation extends Escalation {
  /** What was delivered, in order. */
  readonly sent: readonly Incident[];
  /** While true, nothing can be delivered. */
  broken: boolean;
}

export function fakeEscalation(): FakeEscalation {
  const sent: Incident[] = [];
  const fake: FakeEscalation = {
    sent,
    broken: false,
    send: async (incident) => {
      if (fake.broken) throw new RelightError("escalation.undeliverable", "the fake channel is broken");
      sent.push(structuredClone(incident));
    },
  };
  return fake;
}
