import { describe, expect, test } from "@jest/globals";
import { createUser } from "@nats-io/nkeys";
import { seedOf } from "../lab/keys.ts";
import { accountSettings, loadConfig, parseConfig } from "../lib/config/config.ts";
import type { AccountId } from "../lib/domain/claims/account.ts";
import type { RelightError } from "../lib/errors.ts";

const MINIMAL =
  'cluster: { servers: ["nats://a:4222"], systemCredentials: file:sys.creds }\noperator: { jwt: file:op.jwt }\n';
const DAY = 86_400_000;
const time = (days: number) => ({ unit: "time", before: days * DAY });

const restartFaults: [string, string, RegExp][] = (
  [
    ["no way to restart", "{ timeout: 1m }", /^restart: needs exactly one of command, .*; it has none$/],
    [
      "two ways to restart",
      '{ command: [a], webhook: { url: "http://x", secret: env:S } }',
      /^restart: needs exactly one of command, webhook, kubernetes; it has command and webhook$/,
    ],
    ["two ways to restart, both empty", "{ command: [], kubernetes: {} }", /restart: needs exactly one of /],
    ["an unknown way to restart", "{ systemd: nats }", /^restart\.systemd: is an unknown key/],
    ["a restart by nothing", "", /^restart: /],
    ["a command line for a list", "{ command: systemctl restart nats }", /^restart\.command: /],
    ["an empty command", "{ command: [] }", /^restart\.command: needs a program to run/],
    ["an empty program", '{ command: ["", x] }', /^restart\.command: needs a program to run/],
    ["a restart webhook unsigned", '{ webhook: { url: "http://x" } }', /^restart\.webhook\.secret: is missing/],
    [
      "a restart webhook elsewhere",
      '{ webhook: { url: "ftp://x", secret: env:S } }',
      /^restart\.webhook\.url: is not an http/,
    ],
    [
      "a webhook that may take longer than it can",
      '{ timeout: 6m, webhook: { url: "http://x", secret: env:S } }',
      /^restart\.timeout: can't be longer than 5m for a webhook/,
    ],
    ["no StatefulSet", "{ kubernetes: { namespace: n } }", /^restart\.kubernetes\.statefulSet: is missing/],
    [
      "a StatefulSet that can't be",
      "{ kubernetes: { namespace: n, statefulSet: ../x } }",
      /^restart\.kubernetes\.statefulSet: is not a valid Kubernetes name/,
    ],
    ["a restart that takes forever", "{ command: [a], timeout: 0s }", /^restart\.timeout: "0s" is not a duration/],
  ] as const
).map(([what, restart, fault]) => [what, `${MINIMAL}restart: ${restart}\n`, fault]);

const clusterFaults: [string, string, RegExp][] = (
  [
    ["a WebSocket address", '["wss://a"]', "", /^cluster\.servers\[0\]: is a WebSocket address.*write nats:/],
    ["a user in an address", '["a", "nats://u:p@b"]', "", /^cluster\.servers\[1\]: contains a user or a token/],
    ["a certificate without its key", "[a]", "{ cert: file:c }", /^cluster\.tls\.key: is missing: .* needs both/],
    ["a key without its certificate", "[a]", "{ key: file:k }", /^cluster\.tls\.cert: is missing: .* needs both/],
    ["a path for a reference", "[a]", "{ ca: ca.pem }", /^cluster\.tls\.ca: is not a secret reference; write file:/],
    ["an unknown key of TLS", "[a]", "{ insecure: true }", /^cluster\.tls\.insecure: is an unknown key/],
  ] as const
).map(([what, servers, tls, fault]) => [
  what,
  `cluster: { servers: ${servers}, systemCredentials: file:c${tls === "" ? "" : `, tls: ${tls}`} }\noperator: { jwt: file:o }\n`,
  fault,
]);

const ID = `A${"B".repeat(55)}`;
const policyFaults: [string, string, RegExp][] = (
  [
    [
      "a share of more than all",
      "policy: { renewBefore: 100% }",
      /^policy\.renewBefore: "100%" is not a duration.*33%/,
    ],
    ["a share of nothing", "policy: { renewBefore: 0% }", /^policy\.renewBefore: "0%" is not/],
    ["a share as long as the rest", "policy: { lifetime: 2d, renewBefore: 50%, renewBy: 1d }", /^policy\.renewBy: /],
    ["a warning before anything is late", "policy: { warnBefore: 20d }", /^policy\.warnBefore: must not be/],
    ["a call before the warning", "policy: { pageBefore: 12d }", /^policy\.pageBefore: must not be/],
    [
      "an unknown day",
      "policy: { blackouts: [{ days: [sunday] }] }",
      /blackouts\[0\]\.days\[0\]: is not a day; write sun/,
    ],
    ["no day", "policy: { blackouts: [{ days: [] }] }", /blackouts\[0\]\.days: needs a day/],
    ["no time of day", 'policy: { blackouts: [{ from: "24:01" }] }', /blackouts\[0\]\.from: "24:01" is not a time/],
    ["a time of day with an hour of 75", 'policy: { blackouts: [{ from: "2:75" }] }', /from: "2:75" is not/],
    ["no time at all", 'policy: { blackouts: [{ from: "08:00", to: "08:00" }] }', /blackouts\[0\]\.to: is the same/],
    ["a time zone of nowhere", "policy: { blackouts: [{ timeZone: Berlin }] }", /timeZone: is not a time zone/],
    ["a policy for nobody", "policies: [{ match: {}, manual: true }]", /^policies\[0\]\.match: needs accounts/],
    ["a policy without a match", "policies: [{ manual: true }]", /^policies\[0\]\.match: is missing/],
    ["a match of no names", "policies: [{ match: { names: [] } }]", /match\.names: needs an entry/],
    [
      "an override that closes the window",
      "policies: [{ match: { tags: [x] }, renewBy: 31d }]",
      /^policies\[0\]\.renewBy: must be shorter/,
    ],
    [
      "an override that leaves another at fault",
      `accounts: [{ id: ${ID}, policy: { lifetime: 20d } }]`,
      /^accounts\[0\]\.policy\.lifetime: makes renewBefore invalid/,
    ],
  ] as const
).map(([what, text, fault]) => [what, `${MINIMAL}${text}\n`, fault]);

function faultsOf(text: string): readonly string[] {
  try {
    parseConfig(text, "relight.yaml");
  } catch (error) {
    return (error as RelightError).details["faults"] as string[];
  }
  return [];
}

test("a duration beyond a century is invalid", () => {
  expect(faultsOf(`${MINIMAL}policy: { lifetime: 99999999999999999999d }\n`).join()).toMatch(/is not a duration/);
});

describe("the configuration", () => {
  test("has defaults for everything optional", () => {
    expect(parseConfig(MINIMAL, "/etc/relight/relight.yaml")).toMatchObject({
      baseDir: "/etc/relight",
      journal: "sqlite:relight.sqlite",
      queue: "in-process",
      accounts: [],
      escalation: [],
      unknownAfter: 300_000,
      links: {},
      policy: { lifetime: 90 * DAY, renewBefore: time(30), blackouts: [], manual: false, critical: false },
      cluster: { timeout: 5_000 },
    });
  });

  test.each([
    ["{ command: [ssh, '{name}', '', restart] }", { command: ["ssh", "{name}", "", "restart"] }],
    ['{ webhook: { url: "http://x", secret: env:S } }', { webhook: { url: "http://x", secret: "env:S" } }],
    ["{ kubernetes: { namespace: n, statefulSet: s } }", { kubernetes: { namespace: "n", statefulSet: "s" } }],
  ])("accepts restart: %s, with a timeout of five minutes", (text, expected) => {
    const { restart } = parseConfig(`${MINIMAL}restart: ${text}\n`, "r.yaml");
    expect(restart).toEqual({ ...expected, timeout: 300_000 });
  });

  test("accepts escalation channels as a list, or beside the time to wait", () => {
    const channel = { webhook: { url: "http://x" } };
    const list = `${MINIMAL}escalation: [${JSON.stringify(channel)}]\n`;
    expect(parseConfig(list, "r.yaml")).toMatchObject({ escalation: [channel], unknownAfter: 300_000 });
    const both = `${MINIMAL}escalation: { unknownAfter: 10m, channels: [${JSON.stringify(channel)}] }\n`;
    expect(parseConfig(both, "r.yaml")).toMatchObject({ escalation: [channel], unknownAfter: 600_000 });
    expect(parseConfig(`${MINIMAL}escalation: { unknownAfter: 30s }\n`, "r.yaml")).toMatchObject({
      escalation: [],
      unknownAfter: 30_000,
    });
  });

  test("restarts nothing unless configured", () => {
    expect(parseConfig(MINIMAL, "r.yaml").restart).toBeUndefined();
  });

  test("is overridden by what only the deployment knows", () => {
    const events = "eventbridge:arn:aws:events:eu-central-1:123456789012:event-bus/relight-prod";
    const overrides = {
      RELIGHT_JOURNAL: "dynamodb:t",
      RELIGHT_QUEUE: "sqs:https://q/1.fifo",
      RELIGHT_EVENTS: events,
    };
    expect(parseConfig(MINIMAL, "r.yaml").events).toBeUndefined();
    expect(parseConfig(MINIMAL, "r.yaml", overrides)).toMatchObject({
      events,
      journal: "dynamodb:t",
      queue: "sqs:https://q/1.fifo",
    });
  });

  test.each<[string, string, RegExp]>([
    ["an empty file", "", /^cluster: is missing/],
    ["a list", "[1, 2]", /^the file: is not a map of keys/],
    ["a word", "hello", /^the file: is not a map of keys/],
    ["an alias of nothing", `${MINIMAL}accounts: *mine\n`, /Unresolved alias/],
    ["a key twice", `${MINIMAL}journal: sqlite:a\njournal: sqlite:b\n`, /Map keys must be unique/],
    ["no server address", MINIMAL.replace('"nats://a:4222"', ""), /^cluster\.servers: needs at least one/],
    ["no operator", MINIMAL.replace(/operator.*\n/, ""), /^operator: is missing/],
    ["an unknown key", `${MINIMAL}nonsense: 1\n`, /^nonsense: is an unknown key/],
    ["a key that is written otherwise", `${MINIMAL}read_only: true\n`, /^read_only: .*; did you mean readOnly\?/],
    ["a key of another map", `${MINIMAL}signingKey: file:x\n`, /^signingKey: .*; did you mean operator\.signingKey\?/],
    [
      "a mistyped key in a list",
      `${MINIMAL}escalation: [{ slack: { ulr: "env:X" } }]\n`,
      /escalation\[0\]\.slack\.ulr: .*; did you mean escalation\[0\]\.slack\.url\?/,
    ],
    [
      "an unknown inner key",
      `${MINIMAL}policy: { lifetme: 1d }\n`,
      /^policy\.lifetme: is an unknown key; did you mean policy\.lifetime\?/,
    ],
    [
      "a length of time without a unit",
      `${MINIMAL}policy: { lifetime: "90" }\n`,
      /^policy\.lifetime: "90" is not a duration/,
    ],
    [
      "a length of time that is a bare number",
      `${MINIMAL}policy: { lifetime: 90 }\n`,
      /^policy\.lifetime: is not a duration; write 90d/,
    ],
    ["an invalid duration", `${MINIMAL}policy: { lifetime: 0s }\n`, /^policy\.lifetime: "0s" is not a duration/],
    [
      "a length of time below zero",
      `${MINIMAL}policy: { lifetime: -1d }\n`,
      /^policy\.lifetime: "-1d" is not a duration/,
    ],
    [
      "a length of time in no known unit",
      `${MINIMAL}policy: { lifetime: 3 parsecs }\n`,
      /^policy\.lifetime: "3 parsecs" is not/,
    ],
    [
      "a length of time without end",
      `${MINIMAL}policy: { lifetime: ${"9".repeat(200)}d }\n`,
      /^policy\.lifetime: .* is not/,
    ],
    [
      "a window as long as the life",
      `${MINIMAL}policy: { lifetime: 2d, renewBefore: 48h }\n`,
      /^policy\.renewBefore: must be shorter/,
    ],
    [
      "a window longer than a life that was shortened",
      `${MINIMAL}policy: { lifetime: 10d }\n`,
      /^policy\.renewBefore: must be shorter/,
    ],
    ...restartFaults,
    ...clusterFaults,
    ...policyFaults,
    ["events nowhere", `${MINIMAL}events: kafka:x\n`, /^events: write eventbridge:BUS/],
    ["events on a bus without a name", `${MINIMAL}events: "eventbridge:"\n`, /^events: write eventbridge:BUS/],
    ["another queue", `${MINIMAL}queue: kafka\n`, /^queue: write in-process or sqs:/],
    ["no webhook secrets", `${MINIMAL}issuerWebhook: { secrets: [] }\n`, /^issuerWebhook\.secrets: /],
    [
      "an unknown key of an account",
      `${MINIMAL}accounts: [{ id: A${"B".repeat(55)}, nmae: x }]\n`,
      /^accounts\[0\]\.nmae: is an unknown key/,
    ],
    [
      "a window longer than the life",
      `${MINIMAL}policy: { lifetime: 1d, renewBefore: 2d }\n`,
      /^policy\.renewBefore: must be shorter/,
    ],
    [
      "a name for an account's id",
      `${MINIMAL}accounts: [{ id: APP }]\n`,
      /^accounts\[0\]\.id: is not an account's public key/,
    ],
    [
      "an account twice",
      `${MINIMAL}accounts: [{ id: A${"B".repeat(55)} }, { id: A${"B".repeat(55)} }]\n`,
      /^accounts\[1\]\.id: A(B+) appears twice/,
    ],
    [
      "a domain with a dot",
      `${MINIMAL}accounts: [{ id: A${"B".repeat(55)}, domains: [a.b] }]\n`,
      /^accounts\[0\]\.domains\[0\]: is not the name of a JetStream domain/,
    ],
    [
      "a leafnode of an unknown account",
      `${MINIMAL}leafnodes: [{ name: edge-1, account: APP }]\n`,
      /^leafnodes\[0\]\.account: "APP" is neither an account's public key nor the name/,
    ],
    [
      "a leafnode without an account",
      `${MINIMAL}leafnodes: [{ name: edge-1 }]\n`,
      /^leafnodes\[0\]\.account: is missing/,
    ],
    [
      "a channel of two services",
      `${MINIMAL}escalation: [{ slack: { url: "env:X" }, sns: { topic: "arn:aws:sns:eu-west-1:123456789012:t" } }]\n`,
      /^escalation\[0\]: needs exactly one of webhook, pagerDuty, slack, sns; it has slack and sns/,
    ],
    ["a channel of none", `${MINIMAL}escalation: [{}]\n`, /^escalation\[0\]: needs exactly one of .*; it has none/],
    [
      "Slack's address itself",
      `${MINIMAL}escalation: [{ slack: { url: "https://hooks.slack.com/services/T/B/X" } }]\n`,
      /^escalation\[0\]\.slack\.url: is not a secret reference/,
    ],
    [
      "a topic's name",
      `${MINIMAL}escalation: [{ sns: { topic: "pages" } }]\n`,
      /^escalation\[0\]\.sns\.topic: is not the ARN/,
    ],
    ["an invalid link", `${MINIMAL}links: { runbook: "wiki" }\n`, /^links\.runbook: is not an http/],
    [
      "another protocol",
      `${MINIMAL}escalation: [{ webhook: { url: "ftp://x" } }]\n`,
      /^escalation\[0\]\.webhook\.url: is not an http/,
    ],
    [
      "a channel's address beside a wait",
      `${MINIMAL}escalation: { channels: [{ webhook: { url: "ftp://x" } }] }\n`,
      /^escalation\.channels\[0\]\.webhook\.url: is not an http/,
    ],
    [
      "an invalid wait",
      `${MINIMAL}escalation: { unknownAfter: soon }\n`,
      /^escalation\.unknownAfter: "soon" is not a duration/,
    ],
    ["an escalation of another kind", `${MINIMAL}escalation: pager\n`, /^escalation: /],
    ["another database", `${MINIMAL}journal: postgres\n`, /^journal: write sqlite:PATH/],
    ["broken YAML", "a: [", /Flow sequence.*at line 1, column \d$/],
  ])("%s is an error with its path", (_what, text, fault) => {
    expect(faultsOf(text).join("\n")).toMatch(fault);
  });

  test("reads leads, blackouts and overrides", () => {
    const text = `policy: { renewBefore: 33%, renewBy: 10d, blackouts: [{ days: [sat, sun], from: "22:00", to: "06:00", timeZone: Europe/Berlin }] }
policies: [{ match: { tags: [prod], names: ["team-*"] }, critical: true, blackouts: [{}] }]
accounts: [{ id: ${ID}, policy: { manual: true } }]
`;
    const night = { days: ["sat", "sun"], from: 1320, to: 360, timeZone: "Europe/Berlin" };
    const always = {
      days: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
      from: 0,
      to: 1440,
      timeZone: "UTC",
    };
    expect(parseConfig(MINIMAL + text, "r.yaml")).toMatchObject({
      policy: { renewBefore: { unit: "share", share: 0.33 }, renewBy: time(10), blackouts: [night] },
      policies: [{ match: { tags: ["prod"], names: ["team-*"] }, critical: true, blackouts: [always] }],
      accounts: [{ policy: { manual: true } }],
    });
  });

  test("reports all errors together, each with its path", () => {
    const id = `A${"B".repeat(55)}`;
    const text = `cluster: { servers: [] }
policy: { lifetime: soon, renewBefore: never }
accounts: [{ id: ${id} }, { id: ${id}, signingKey: plain }, { id: ${id} }]
escalation: [{ webhook: { url: "ftp://x", secret: 5 } }]
foo: 1
`;
    const places = faultsOf(text).map((fault) => fault.slice(0, fault.indexOf(":")));
    expect(places.sort()).toEqual([
      ...["accounts[1].id", "accounts[1].signingKey", "accounts[2].id"],
      ...["cluster.servers", "cluster.systemCredentials"],
      ...["escalation[0].webhook.secret", "escalation[0].webhook.url", "foo", "operator"],
      ...["policy.lifetime", "policy.renewBefore"],
    ]);
  });

  test("reports the number of errors, the file, and how to fix each", () => {
    expect(() => parseConfig(`${MINIMAL}foo: 1\n`, "r.yaml")).toThrow(
      expect.objectContaining({
        code: "config.invalid",
        message: "the configuration r.yaml has one fault:\n  - foo: is an unknown key",
      }),
    );
    expect(() => parseConfig("", "r.yaml")).toThrow(/r\.yaml has 2 faults:\n {2}- cluster: .*\n {2}- operator: /);
  });

  test.each([
    ["90d", 90 * DAY],
    ["12h", DAY / 2],
    ["30m", 1_800_000],
    ["45s", 45_000],
    ["250ms", 250],
    ["1.5 h", 5_400_000],
    ["1w", 7 * DAY],
  ])("reads %s as a duration", (text, length) => {
    const config = parseConfig(MINIMAL.replace("servers", `timeout: ${text}, servers`), "r.yaml");
    expect(config.cluster.timeout).toBe(length);
  });

  test.each(["file:/run/secrets/x", "file:../x", "env:OP_JWT", "aws-sm://relight/op", "aws-sm://relight/op#jwt"])(
    "accepts %s as a secret reference",
    (reference) => {
      expect(parseConfig(MINIMAL.replace("file:op.jwt", reference), "r.yaml").operator.jwt).toBe(reference);
    },
  );

  test("accepts a KMS key for the operator only, because it can't be read", () => {
    const kms = '"aws-kms://alias/relight-operator"';
    const signing = MINIMAL.replace("jwt:", `signingKey: ${kms}, jwt:`);
    expect(parseConfig(signing, "r.yaml").operator.signingKey).toBe("aws-kms://alias/relight-operator");
    for (const [before, key] of [
      ["file:op.jwt", "operator.jwt"],
      ["file:sys.creds", "cluster.systemCredentials"],
    ] as const)
      expect(faultsOf(MINIMAL.replace(before, kms)).join()).toMatch(`${key}: is not a secret reference`);
  });

  const seed = seedOf(createUser());
  test.each([
    ["the cluster's credentials", MINIMAL.replace("file:sys.creds", seed)],
    ["the operator's JWT", MINIMAL.replace("file:op.jwt", seed)],
    ["the operator's key", MINIMAL.replace("jwt:", `signingKey: ${seed}, jwt:`)],
    ["an account's key", `${MINIMAL}accounts: [{ id: A${"B".repeat(55)}, signingKey: ${seed} }]\n`],
    ["a channel's secret", `${MINIMAL}escalation: [{ webhook: { url: "http://x", secret: ${seed} } }]\n`],
    ["a restart's secret", `${MINIMAL}restart: { webhook: { url: "http://x", secret: ${seed} } }\n`],
    ["a kubeconfig", `${MINIMAL}restart: { kubernetes: { namespace: n, statefulSet: s, kubeconfig: ${seed} } }\n`],
    ["the issuer's secret", `${MINIMAL}issuerWebhook: { secrets: [${seed}] }\n`],
    ["an environment variable's name", MINIMAL.replace("file:op.jwt", '"env:"')],
    ["a file's name", MINIMAL.replace("file:op.jwt", '"file:"')],
  ])("refuses a secret, or nothing, as %s, and does not repeat it", (_where, text) => {
    expect(faultsOf(text).join()).toMatch(/is not a secret reference; .*never the secret itself/);
    expect(() => parseConfig(text, "r.yaml")).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining(seed) }),
    );
  });

  test("reports a missing file", async () => {
    await expect(loadConfig("/nowhere/relight.yaml")).rejects.toMatchObject({ code: "config.not_found" });
  });
});

test("leafnodes are expected of accounts by id, by name, or unconfigured ones", () => {
  const [app, other] = [`A${"B".repeat(55)}`, `A${"C".repeat(55)}`] as AccountId[];
  const text = `${MINIMAL}accounts: [{ id: ${app}, name: APP, domains: [far] }]
leafnodes: [{ name: one, account: APP, domain: edge }, { name: two, account: ${app} }, { name: three, account: ${other} }]
`;
  expect([...accountSettings(parseConfig(text, "relight.yaml"))]).toEqual([
    [
      app,
      {
        id: app,
        name: "APP",
        domains: ["far"],
        leafnodes: [{ name: "one", domain: "edge" }, { name: "two" }],
      },
    ],
    [other, { id: other, leafnodes: [{ name: "three" }] }],
  ]);
});

test("reports a leafnode's missing account beside other errors", () => {
  const faults = faultsOf(`${MINIMAL}bogus: 1\nqueue: x\nleafnodes: [{ name: edge-1, account: APP }]\n`);
  expect(faults.join("\n")).toMatch(/queue: write in-process[\s\S]*leafnodes\[0\]\.account: "APP"/);
});

describe("serve.listen", () => {
  const listen = (text: string, overrides = {}) =>
    parseConfig(`${MINIMAL}serve: { listen: ${JSON.stringify(text)} }\n`, "r.yaml", overrides).serve.listen;

  test.each([
    ["127.0.0.1:9000", "127.0.0.1", 9_000],
    ["localhost:80", "localhost", 80],
    ["[::1]:8080", "::1", 8_080],
    ["127.0.0.1:0", "127.0.0.1", 0],
  ])("%s", (text, host, port) => expect(listen(text)).toEqual({ host, port }));

  test("is 127.0.0.1:8080 by default, with 30 seconds for the step under way", () => {
    const { serve } = parseConfig(MINIMAL, "r.yaml");
    expect(serve).toMatchObject({ listen: { host: "127.0.0.1", port: 8_080 }, grace: 30_000 });
  });

  test("is overridden by RELIGHT_LISTEN, and --listen", () => {
    expect(listen("127.0.0.1:1", { RELIGHT_LISTEN: "[::1]:2" })).toEqual({ host: "::1", port: 2 });
    const fault = (overrides: object, text = "127.0.0.1:1") => {
      try {
        return listen(text, overrides);
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(fault({ RELIGHT_LISTEN: "here" })).toMatch(/^RELIGHT_LISTEN: "here" is not an address; write/);
    const option = { RELIGHT_LISTEN: "0.0.0.0:1", listenNamedBy: "--listen" };
    expect(fault({ ...option, RELIGHT_LISTEN: "here" })).toMatch(/^--listen: "here" is not an address; write/);
    expect(fault(option)).toMatch(/^--listen: 0\.0\.0\.0 can be reached from other machines/);
    expect(fault({}, "here")).toMatch(/^the configuration r\.yaml has one fault:\n {2}- serve\.listen: "here"/);
  });

  test.each([
    ...["8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:http", "::1:8080", "[::1]", "[1.2.3.4]:80"],
    ...["127.1:80", "999.0.0.1:80", "http://127.0.0.1:80", "a b:80", "127.0.0.1:-1", ""],
  ])("%j is no address", (text) => expect(() => listen(text)).toThrow(/serve\.listen: ".*" is not an address; write/));

  test.each([":8080", "0.0.0.0:8080", "[::]:8080", "10.0.0.7:8080", "relight.example.com:80", "[::ffff:7f00:1]:80"])(
    "%s can be reached by others, who would not have to say who they are",
    (text) => expect(() => listen(text)).toThrow(/serve\.listen: .* can be reached from other machines/),
  );

  describe("access", () => {
    const serve = (lines: string) =>
      parseConfig(`${MINIMAL}serve:\n  listen: 0.0.0.0:8080\n  access: ${lines}\n`, "r.yaml").serve;
    const OIDC = "issuer: https://id.example, clientId: r, clientSecret: env:S, operators: [sre]";

    test.each([
      "{ token: { operator: env:T } }",
      "{ token: { viewer: file:t }, url: https://r.example }",
      "{ trustedProxy: { addresses: [10.0.0.0/8, '::1'], user: X-User, operators: [ada] } }",
      `{ url: https://r.example, oidc: { ${OIDC} } }`,
    ])("%s allows other addresses than this machine's", (lines) => {
      expect(serve(lines)).toMatchObject({ listen: { host: "0.0.0.0" }, access: {} });
    });

    test.each([
      ["{}", /serve\.access: needs at least one of token, trustedProxy, oidc/],
      ["{ token: {} }", /serve\.access\.token: needs operator or viewer/],
      ["{ token: { operator: hunter2 } }", /serve\.access\.token\.operator: is not a secret reference/],
      ["{ trustedProxy: { addresses: [here], user: X-User, operators: [a] } }", /addresses\[0\]: is not an IP address/],
      ["{ trustedProxy: { addresses: [10.0.0.0/33], user: X-User, operators: [a] } }", /is not an IP address/],
      ["{ trustedProxy: { addresses: [10.0.0.1], user: X-User } }", /lets nobody in/],
      ["{ trustedProxy: { addresses: [10.0.0.1], user: 'X User', operators: [a] } }", /is not the name of a header/],
      [`{ oidc: { ${OIDC} } }`, /serve\.access\.url: is needed for oidc/],
    ])("%s is refused", (lines, fault) => expect(() => serve(lines)).toThrow(fault));
  });
});
