import type { Observation } from "../observation/observation.ts";
import { defined } from "../time/defined.ts";
import { finding } from "../verdict/findings.ts";
import type { Finding } from "../verdict/verdict.ts";
import { isBack, type Loss } from "./loss.ts";
import { nameOfGroup } from "./step-down.ts";

/**
 * A loss does not become right by being old. What is gone is dead, since whoever uses it gets an error; messages and
 * positions that are gone leave something behind that works.
 */
export function lossFindings({ account, streams }: Observation, losses: readonly Loss[]): Finding[] {
  const present = streams.ok ? streams.value : [];
  return losses
    .filter((loss) => !isBack(loss, present))
    .map((loss) => {
      const { stream, consumer, kind } = loss;
      const subject = { stream, ...defined({ consumer }) };
      const health = kind === "gone" ? "dead" : "degraded";
      const command = `relight acknowledge ${account} '${nameOfGroup(loss)}' --reason WHY`;
      const since =
        loss.seenWell === undefined
          ? "since a remedy"
          : `when the account was last seen well (${loss.seenWell})`;
      const message = `${loss.message} ${since}; make it good, or acknowledge it (\`${command}\`)`;
      return finding("asset.lost", health, subject, message, { loss: kind, what: loss.message });
    });
}
