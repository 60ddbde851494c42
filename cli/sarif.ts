import { CONFIG_FINDINGS } from "../lib/domain/advice/server-config/leaf-config-findings.ts";
import type { Position } from "../lib/domain/advice/server-config/nats-config.ts";
import type { ConfigCheck } from "../lib/usecases/reports/check-config.ts";
import manifest from "../package.json" with { type: "json" };

/** What `check-config` found, as SARIF 2.1.0 for code scanning (docs.oasis-open.org/sarif/sarif/v2.1.0). */
export function sarifOf({ findings, unchecked }: ConfigCheck): object {
  const rules = Object.entries(CONFIG_FINDINGS).map(([id, { severity, meaning, likely, advice }]) => ({
    id,
    shortDescription: { text: meaning },
    help: { text: `Likely: ${likely} Fix: ${advice}` },
    defaultConfiguration: { level: severity },
  }));
  const results = findings.map(({ code, severity, at, problem, meaning, advice }) => ({
    ruleId: code,
    ruleIndex: rules.findIndex(({ id }) => id === code),
    level: severity,
    message: { text: `${problem}. ${meaning} Fix: ${advice}` },
    locations: [placeOf(at)],
  }));
  const notifications = unchecked.map(({ at, problem }) => ({
    level: "error",
    message: { text: `not checked: ${problem}` },
    locations: [placeOf(at)],
  }));
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: { driver: { name: "relight check-config", version: manifest.version, rules } },
        results,
        invocations: [{ executionSuccessful: unchecked.length === 0, toolExecutionNotifications: notifications }],
      },
    ],
  };
}

const placeOf = ({ file, line, column }: Position): object => ({
  physicalLocation: {
    artifactLocation: { uri: encodeURI(file.replaceAll("\\", "/")) },
    region: { startLine: line, startColumn: column },
  },
});
