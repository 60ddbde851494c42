import { join } from "node:path";
import jest from "./jest.config.js";

const unit = jest.projects.find(({ displayName }) => displayName === "unit");

/** Mutation tests of the application logic: `npm run mutation [-- --mutate lib/domain/expiry/*.ts]`. */
export default {
  mutate: ["lib/domain/**/*.ts", "lib/usecases/**/*.ts"],
  testRunner: "jest",
  testRunnerNodeArgs: ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"],
  jest: {
    projectType: "custom",
    config: {
      ...unit,
      // Stryker puts its own environment over this one, and knows no <rootDir>.
      testEnvironment: join(import.meta.dirname, "test/support/environment.js"),
      testRegex: "/test/(domain|usecases)/.*[.]test[.]ts$",
      reporters: [],
    },
  },
  coverageAnalysis: "perTest",
  // Stryker reads tsconfig.json with an API that TypeScript 7 no longer has; Jest needs none.
  tsconfigFile: "none",
  incremental: true,
  incrementalFile: ".cache/mutation/incremental.json",
  tempDirName: ".cache/mutation/sandbox",
  concurrency: 2,
  ignoreStatic: true,
  ignorePatterns: ["/docs", "/deploy", "/dist*", "/.cache", "/.serverless"],
  reporters: ["clear-text", "html", "progress-append-only"],
  htmlReporter: { fileName: ".cache/mutation/report.html" },
  clearTextReporter: { allowColor: false, reportTests: false },
  allowConsoleColors: false,
};
