/** Tests are TypeScript ESM: SWC strips the types, Node's own module loader does the rest. */
export default {
  testEnvironment: "node",
  testMatch: ["<rootDir>/test/**/*.test.ts"],
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
  // A bound on what hangs, for a machine as busy as it may be; nothing is proved by being faster.
  testTimeout: 400_000,
  // Tests on real servers wait more than they compute, but three at a time were at times too much for two cores.
  maxWorkers: 2,
  testSequencer: "<rootDir>/test/support/longest-first.js",
  reporters: ["default", "<rootDir>/test/support/tally.js"],
};
