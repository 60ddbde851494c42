/** Tests are TypeScript ESM: SWC strips the types, Node's own module loader does the rest. */
const common = {
  testEnvironment: "<rootDir>/test/support/environment.js",
  extensionsToTreatAsEsm: [".ts"],
  modulePathIgnorePatterns: ["<rootDir>/dist", "<rootDir>/.cache"],
  transform: {
    "\\.ts$": [
      "@swc/jest",
      {
        jsc: {
          parser: { syntax: "typescript" },
          target: "es2024",
          experimental: { keepImportAttributes: true },
        },
        module: { type: "es6" },
      },
    ],
  },
  moduleNameMapper: { "^tweetnacl$": "<rootDir>/lib/adapters/nats/ed25519.cjs" },
};

/** Tests that need neither a server nor an emulator: they take seconds. */
const UNIT =
  "/test/((cli|domain|serve|usecases)/.*|(architecture|bench|config|config-context|docs|files|imports|group-commit|jwt-codec|log|matrix|nats-shared|setup|test-page|tweetnacl|worlds))[.]test[.]ts$";

export default {
  projects: [
    { ...common, displayName: "unit", testRegex: UNIT },
    {
      ...common,
      displayName: "servers",
      testRegex: "/test/.*[.]test[.]ts$",
      testPathIgnorePatterns: [UNIT],
    },
  ],
  // A bound on what hangs, for a machine as busy as it may be; nothing is proved by being faster.
  testTimeout: 400_000,
  // Tests on real servers wait more than they compute.
  maxWorkers: 7,
  // Of `test.concurrent` in one file, where each test has servers of its own and mostly waits.
  maxConcurrency: 3,
  testSequencer: "<rootDir>/test/support/longest-first.js",
  reporters: ["default", "<rootDir>/test/support/tally.js"],
};
