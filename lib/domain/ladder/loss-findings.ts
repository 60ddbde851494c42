import type { Observation } from "../observation/observation.ts";
import { defined } from "../time/defined.ts";
import { shellWord } from "../time/text.ts";
import { finding } from "../verdict/findings.ts";
import type { Finding } from "../verdict/verdict.ts";
import { isBack, type Loss } from "./loss.ts";
import { nameOfGroup } from "./step-down.ts";

/**
 * Losses remain findings however old they are. A missing stream or consumer is dead, because its clients get errors.
 * Missing messages or positions are degraded, because the rest works.
 */
export function lossFindings({ account, streams }: Observation, losses: readonly Loss[]): Finding[] {
  const present = streams.ok ? streams.value : [];
  return losses
    .filter((loss) => !isBack(loss, present))
    .map((loss) => {
      const { stream, consumer, kind } = loss;
      const subject = { stream, ...defined({ consumer }) };
      const health = kind === "gone" ? "dead" : "degraded";
      const command = `relight acknowledge ${account} ${shellWord(nameOfGroup(loss))} --reason WHY`;
      const since =
        loss.seenWell === undefined
          ? "after a remedy"
          : `compared with ${loss.seenWell}, when the account was last healthy`;
      const advice = `restore it, or acknowledge the loss (\`${command}\`)`;
      const evidence = { loss: kind, what: loss.message };
      return finding("asset.lost", health, subject, `${loss.message} (${since})`, evidence, advice);
    });
}
