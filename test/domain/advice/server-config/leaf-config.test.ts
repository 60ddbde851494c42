import { describe, expect, test } from "@jest/globals";
import { createAccount, createOperator, createUser } from "@nats-io/nkeys";
import { newCredentials, seedOf, signClaims } from "../../../../lab/keys.ts";
import {
  type CredentialsFile,
  readCredentials,
} from "../../../../lib/domain/advice/server-config/leaf-config-credentials.ts";
import { CONFIG_FINDINGS } from "../../../../lib/domain/advice/server-config/leaf-config-findings.ts";
import { epochMillis } from "../../../../lib/domain/time/time.ts";
import { type ConfigCheck, checkConfig } from "../../../../lib/usecases/reports/check-config.ts";

const NOW = Date.parse("2026-06-01T00:00:00Z");
const account = createAccount();
const other = createAccount();
const A = account.getPublicKey();
const B = other.getPublicKey();
const SEED = seedOf(createUser());
const OPERATOR = "operator: eyJ.e.s";

const expired = (): string => {
  const user = createUser();
  const token = signClaims(
    { sub: user.getPublicKey(), name: "old", exp: NOW / 1000 - 60, nats: { type: "user" } },
    account,
  );
  return `-----BEGIN NATS USER JWT-----\n${token}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seedOf(user)}\n------END USER NKEY SEED------\n`;
};
const accountJwt = (): string =>
  newCredentials(account, "u").replace(/eyJ\S+/, signClaims({ sub: A, nats: { type: "account" } }, createOperator()));

/** Files beside the configurations. */
const DISK: Readonly<Record<string, string>> = {
  "/a.creds": newCredentials(account, "leaf"),
  "/b.creds": newCredentials(other, "leaf"),
  "/signed.creds": newCredentials(account, "leaf", createAccount()),
  "/old.creds": expired(),
  "/account.creds": accountJwt(),
  "/seed": `${SEED}\n`,
  "/user.nk": `-----BEGIN USER NKEY SEED-----\n${SEED}\n------END USER NKEY SEED------\n`,
  "/text": "hello",
};

function check(...texts: readonly string[]): ConfigCheck {
  const configs = Object.fromEntries(texts.map((text, index) => [`${index}.conf`, text]));
  const disk: Record<string, string> = { ...DISK, ...configs };
  return checkConfig(Object.keys(configs), {
    now: epochMillis(NOW),
    world: {
      read: (path) => {
        if (path === "/locked.creds") return { ok: false, missing: false, why: "EACCES" };
        const text = disk[path];
        return text === undefined ? { ok: false, missing: true, why: "ENOENT" } : { ok: true, text };
      },
      beside: (_file, path) => path,
      expand: (path) => path,
      variable: () => undefined,
    },
  });
}

const leaf = (remote: string, more = ""): string =>
  `${more}\nleafnodes { remotes: [\n  { url: "nats-leaf://hub:7422", ${remote} }\n] }\n`;
const ACCOUNTS = "accounts { APP { users: [{user: a, password: hunter2}] } }";
const HUB = "leafnodes { listen: 0.0.0.0:7422 }";
const js = (domain: string): string => `jetstream { domain: ${domain} }`;

/** Each finding has a row here, and so has every situation that only looks like one. */
const ROWS: readonly (readonly [situation: string, codes: readonly string[], ...texts: string[]])[] = [
  ["a server without leafnodes", [], "port: 4222"],
  ["a remote without accounts and operator", [], leaf("")],
  ["a remote with an account that is defined", [], leaf("account: APP", ACCOUNTS)],
  ["a remote that says $G", [], leaf('account: "$G"', ACCOUNTS)],
  ["a remote for the system account", [], leaf('account: "$SYS"', ACCOUNTS)],
  ["credentials of the same account", [], leaf(`account: ${A}, credentials: "/a.creds"`, OPERATOR)],
  ["credentials signed with a signing key", [], leaf(`account: ${A}, credentials: "/signed.creds"`, OPERATOR)],
  ["an nkey", [], leaf(`nkey: ${SEED}`)],
  ["a websocket on the port of clients", [], leaf("").replace("nats-leaf://hub:7422", "wss://hub:4222")],
  ["a url without a port", [], leaf("").replace(":7422", "")],
  ["a user and password in the url", [], leaf("").replace("//hub", "//me:hunter2@hub")],
  ["a healthy pair", [], `${HUB}\n${js("hub")}\nserver_name: h`, leaf("", `${js("leaf")}\nserver_name: l`)],
  [
    "a healthy pair with an operator",
    [],
    `${HUB}\n${OPERATOR}`,
    leaf(`account: ${A}, credentials: "/a.creds"`, OPERATOR),
  ],
  [
    "a leaf that extends the hub's domain through the system account",
    [],
    `${HUB}\n${js("hub")}`,
    leaf('account: "$SYS"', js("hub")),
  ],
  ["equal domains of servers that are not joined", [], js("one"), js("one")],
  ["a seed as credentials", ["remote.seed_as_credentials"], leaf(`credentials: ${SEED}`)],
  ["a file of a seed as credentials", ["remote.seed_as_credentials"], leaf('credentials: "/seed"')],
  ["a seed between dashes as credentials", ["remote.seed_as_credentials"], leaf('creds: "/user.nk"')],
  ["a credentials file as nkey", ["remote.creds_as_nkey"], leaf('nkey: "/a.creds"')],
  ["a public key as nkey", ["remote.nkey_invalid"], leaf(`nkey: ${createUser().getPublicKey()}`)],
  ["an account's seed as nkey", ["remote.nkey_invalid"], leaf(`nkey: ${seedOf(account)}`)],
  ["credentials and an nkey", ["remote.credentials_and_nkey"], leaf(`nkey: ${SEED}, credentials: "/a.creds"`)],
  ["no account, with an operator", ["remote.account_required"], leaf('credentials: "/a.creds"', OPERATOR)],
  ["no account, with accounts", ["remote.binds_to_global"], leaf("", ACCOUNTS)],
  ["an account that is not defined", ["remote.account_unknown"], leaf("account: AP", ACCOUNTS)],
  [
    "the system account where there is none",
    ["remote.account_unknown"],
    leaf('account: "$SYS"', "no_system_account: true"),
  ],
  ["an account's name, with an operator", ["remote.account_not_public_key"], leaf("account: APP", OPERATOR)],
  [
    "the same remote twice",
    ["remote.duplicate"],
    "leafnodes { remotes: [\n {url: nats://h:7422}\n {url: nats://h:7422}\n] }",
  ],
  ["no url", ["remote.no_urls"], 'leafnodes { remotes: [ { account: "$G" } ] }'],
  ["no url in the list", ["remote.no_urls"], "leafnodes { remotes: [ { urls: [] } ] }"],
  ["a url without a scheme", ["url.malformed"], leaf("").replace("nats-leaf://", "")],
  ["a web page's scheme", ["url.scheme"], leaf("").replace("nats-leaf", "https")],
  ["the port of clients", ["url.port"], leaf("").replace("7422", "4222")],
  [
    "websockets among others",
    ["url.mixed_websocket"],
    "leafnodes { remotes: [ {urls: [nats://h:7422, ws://h:443 ]} ] }",
  ],
  ["no credentials file", ["credentials.missing"], leaf('credentials: "/none.creds"')],
  ["a credentials file of others", ["credentials.unreadable"], leaf('credentials: "/locked.creds"')],
  ["a file that is none of credentials", ["credentials.malformed"], leaf('credentials: "/text"')],
  ["credentials with an account's JWT", ["credentials.malformed"], leaf('credentials: "/account.creds"')],
  ["expired credentials", ["credentials.expired"], leaf('credentials: "/old.creds"')],
  [
    "credentials of another account",
    ["credentials.other_account"],
    leaf(`account: ${A}, credentials: "/b.creds"`, OPERATOR),
  ],
  ["credentials for a hub without an operator", ["credentials.ignored_by_hub"], HUB, leaf('credentials: "/a.creds"')],
  [
    "a listener's account that is not defined",
    ["listener.account_unknown"],
    "leafnodes { port: 7422, authorization { account: APP } }",
  ],
  [
    "a listener's user of such an account",
    ["listener.account_unknown"],
    "leafnodes { port: 7422, authorization { users: [{user: a, password: b, account: APP}] } }",
  ],
  [
    "a listener's account by name, with an operator",
    ["listener.account_not_public_key"],
    `${OPERATOR}\nleafnodes { port: 7422, authorization { account: APP } }`,
  ],
  [
    "a listener's users, with an operator",
    ["listener.users_with_operator"],
    `${OPERATOR}\nleafnodes { port: 7422, authorization { users: [{user: a}] } }`,
  ],
  ["a listener without authorization, with accounts", ["listener.binds_to_global"], `${HUB}\n${ACCOUNTS}`],
  [
    "a listener whose authorization only has a timeout, with accounts",
    ["listener.binds_to_global"],
    `leafnodes { port: 7422, authorization { timeout: 5 } }\n${ACCOUNTS}`,
  ],
  ["no domain", ["domain.missing"], leaf("", "jetstream: enabled")],
  ["the hub's domain", ["domain.shared"], `${HUB}\n${js("one")}`, leaf("", js("one"))],
  [
    "the same name, in one cluster",
    ["server_name.duplicate"],
    "server_name: a\ncluster { name: c }",
    "server_name: a\ncluster { name: c }",
  ],
  [
    "the same name, with routes to each other in a cluster without a name",
    ["server_name.duplicate"],
    "server_name: a\ncluster { listen: a.x:6222, routes: [ nats://b.x:6222 ] }",
    "server_name: a\ncluster { listen: b.x:6222, routes: [ nats://a.x:6222 ] }",
  ],
  [
    "the same name, of two leaves of one hub",
    ["server_name.duplicate"],
    leaf("", "server_name: a"),
    leaf("", "server_name: a"),
  ],
  ["the same name, of servers that never meet", [], "server_name: a", "server_name: a\ncluster { name: c }"],
  ["a map of remotes", ["remote.not_a_list"], "leafnodes { remotes: { url: nats-leaf://hub:7422 } }"],
  ["a remote that is a url", ["remote.not_a_list"], 'leafnodes { remotes: [ "nats-leaf://hub:7422" ] }'],
  ["a variable within a url", ["url.placeholder"], leaf("").replace("hub:", "u:$PASS@$HUB:")],
  ["a placeholder for the host", ["url.placeholder"], leaf("").replace("hub", "<hub-ip>")],
  ["a template's expression", ["url.placeholder"], leaf("").replace("hub", "{{ .Values.hub }}")],
  ["a # in the password", ["url.unescaped"], leaf("").replace("hub", "u:a#b@hub")],
  ["a % in the password", ["url.unescaped"], leaf("").replace("hub", "u:50%off@hub")],
  ["a / in the password", ["url.unescaped"], leaf("").replace("hub", "u:a/b@hub")],
  ["an escaped password", [], leaf("").replace("hub", "u:50%25off%23@hub")],
  ["port 0", ["url.port_invalid"], leaf("").replace("7422", "0")],
  ["port 99999", ["url.port_invalid"], leaf("").replace("7422", "99999")],
  ["a websocket without a port", ["url.websocket_port"], leaf("").replace("nats-leaf://hub:7422", "wss://hub")],
  ["two leaves of one hub with one domain", ["domain.shared_by_leaves"], leaf("", js("x")), leaf("", js("x"))],
  ["two leaves of one hub with a domain each", [], leaf("", js("x")), leaf("", js("y"))],
  [
    "one domain on two leaves whose credentials are of two accounts",
    [],
    leaf('credentials: "/a.creds"', js("x")),
    leaf('credentials: "/b.creds"', js("x")),
  ],
  [
    "one domain on two leaves that form a cluster",
    [],
    leaf("", `${js("x")}\ncluster { name: c }`),
    leaf("", `${js("x")}\ncluster { name: c }`),
  ],
  [
    "the hub's cluster name",
    ["cluster.name_shared"],
    "server_name: hub\ncluster { name: c }\nleafnodes { port: 7422 }",
    leaf("", "cluster { name: c }"),
  ],
  [
    "remotes to two servers of one cluster, whose files say so",
    ["remote.same_cluster_twice"],
    "server_name: a\ncluster { name: c }\nleafnodes { port: 7422 }",
    "server_name: b\ncluster { name: c }\nleafnodes { port: 7422 }",
    "leafnodes { remotes: [ {url: nats-leaf://a:7422}, {url: nats-leaf://b:7422} ] }",
  ],
  [
    "remotes to two pods of one set",
    ["remote.same_cluster_twice"],
    "leafnodes { remotes: [ {url: nats-leaf://nats-0.nats:7422}, {url: nats-leaf://nats-1.nats:7422} ] }",
  ],
  [
    "one remote with the urls of two pods",
    [],
    "leafnodes { remotes: [ {urls: [nats-leaf://nats-0.nats:7422, nats-leaf://nats-1.nats:7422]} ] }",
  ],
  [
    "remotes to two pods for two accounts",
    [],
    `${ACCOUNTS.replace("APP {", "B {}, APP {")}\nleafnodes { remotes: [ {url: nats-leaf://n-0:7422, account: APP}, {url: nats-leaf://n-1:7422, account: B} ] }`,
  ],
  [
    "a listener without authorization, to which the given leaf brings a user",
    [],
    `${HUB}\n${ACCOUNTS}`,
    leaf("").replace("//hub", "//a:hunter2@hub"),
  ],
];

describe("servers are matched", () => {
  const hub = (name: string, listen = "0.0.0.0:7422"): string =>
    `server_name: ${name}\n${js("one")}\nleafnodes { listen: "${listen}" }`;
  const both = (name: string, cluster = ""): string =>
    `server_name: ${name}\n${js("one")}\n${cluster}\nleafnodes { listen: 0.0.0.0:7422, remotes: [ {url: nats://hub-1.example.com} ] }`;
  test.each<[string, number, ...string[]]>([
    ["by the port of the url", 1, hub("h"), leaf("", js("one"))],
    ["as the only hub there is, whatever the port is", 1, hub("h", "0.0.0.0:9999"), leaf("", js("one"))],
    ["not by another port, if there are several hubs", 0, hub("h", ":9999"), hub("i", ":9998"), leaf("", js("one"))],
    ["by the host of the url, if one has it", 1, hub("hub-1"), hub("hub-2"), both("l")],
    ["by the address that one listens on", 1, hub("a", "hub:7422"), hub("b", "bub:7422"), leaf("", js("one"))],
    ["by the port alone, if none is known by the host", 2, hub("a"), hub("b"), both("l")],
    ["not as members of one cluster", 0, both("l-1", "cluster { name: c }"), both("l-2", "cluster { name: c }")],
  ])("%s", (_how, pairs, ...texts) => {
    const { findings } = check(...texts);
    expect(findings.filter(({ code }) => code === "domain.shared")).toHaveLength(pairs);
  });

  test("a file given twice is one server", () => {
    const world = {
      read: () => ({ ok: true, text: "server_name: a" }) as const,
      beside: String,
      expand: String,
      variable: () => undefined,
    };
    expect(checkConfig(["a.conf", "a.conf"], { now: epochMillis(NOW), world }).findings).toEqual([]);
  });
});

describe("what nothing but the port joins is only warned of", () => {
  test("one domain on both sides", () => {
    const { findings } = check(`${HUB}\n${js("one")}`, leaf("", js("one")));
    expect(findings).toMatchObject([{ code: "domain.shared", severity: "warning" }]);
    expect(findings[0]?.problem).toContain("if a remote leads to the server of 0.conf");
  });

  test("but an address of another machine is another server", () => {
    const hub = `leafnodes { listen: "10.0.0.1:7422" }\n${js("one")}`;
    expect(check(hub, leaf("", js("one")).replace("hub", "10.0.0.2")).findings).toEqual([]);
    expect(check(hub, leaf("", js("one")).replace("hub", "10.0.0.1")).findings).toMatchObject([{ severity: "error" }]);
  });
});

describe("a variable that is nowhere", () => {
  test("unchecks its value, and the rest is checked", () => {
    const { findings, unchecked } = check(
      `server_name: $NAME\naccounts: $ACCOUNTS\nleafnodes { remotes: [\n {url: $URL, account: $ACCOUNT}\n {url: nats-leaf://h:4222}\n] }`,
    );
    expect(findings.map(({ code }) => code)).toEqual(["url.port"]);
    expect(unchecked.map(({ at }) => at.line)).toEqual([1, 2, 4, 4]);
    expect(JSON.stringify(unchecked)).not.toMatch(/\$/);
  });

  test("that refers to itself is a fault of the file", () => {
    expect(check("A: $A\nport: 1").unchecked).toHaveLength(1);
  });
});

test("credentials that are not on this machine are none of its faults", () => {
  const world = {
    read: (path: string) =>
      path === "a.conf"
        ? ({ ok: true, text: leaf('credentials: "/elsewhere.creds"') } as const)
        : ({ ok: false, missing: true, why: "ENOENT" } as const),
    beside: String,
    expand: String,
    variable: () => undefined,
  };
  const codes = (offline: boolean) =>
    checkConfig(["a.conf"], { now: epochMillis(NOW), world, offline }).findings.map(({ code }) => code);
  expect([codes(false), codes(true)]).toEqual([["credentials.missing"], []]);
});

test("thousands of open braces are a fault, not the end of the stack", () => {
  for (const [begin, open] of [
    ["", "{"],
    ["", "a {"],
    ["a: ", "["],
    ["a: ", "[{ a: "],
  ] as const)
    expect(check(`port: 1\n${begin}${open.repeat(5_000)}`).unchecked[0]?.problem).toContain("more than 200 deep");
});

describe("a configuration with", () => {
  test.each(ROWS)("%s", (_situation, codes, ...texts) => {
    const { findings, unchecked } = check(...texts);
    expect({ codes: findings.map(({ code }) => code), unchecked }).toEqual({ codes, unchecked: [] });
  });
});

test("every finding has a row above, a likely mistake and a fix", () => {
  const found = ROWS.flatMap(([, codes]) => codes);
  expect(Object.keys(CONFIG_FINDINGS).filter((code) => !found.includes(code))).toEqual([]);
  for (const { likely, advice, meaning } of Object.values(CONFIG_FINDINGS))
    for (const text of [likely, advice, meaning]) expect(text).toMatch(/^.{20,}[.:]?/);
});

test("findings have a column", () => {
  const { findings } = check(leaf(`account: AP,\n    credentials: ${SEED}`));
  expect(findings.map(({ at }) => [at.line, at.column])).toEqual([
    [3, 34],
    [4, 5],
  ]);
});

test("findings are sorted by file and line", () => {
  const { findings } = check(
    leaf(`account: AP,\n    credentials: ${SEED}`),
    'port: 1\nleafnodes { remotes: [\n { urls: [ "a:1" ] }\n] }',
  );
  expect(findings.map(({ at, code }) => `${at.file}:${at.line} ${code}`)).toEqual([
    "0.conf:3 remote.account_unknown",
    "0.conf:4 remote.seed_as_credentials",
    "1.conf:3 url.malformed",
  ]);
});

test("the message about another account names both and their sides", () => {
  const [finding] = check(leaf(`account: ${A}, credentials: "/b.creds"`, OPERATOR)).findings;
  expect(finding?.problem).toBe(
    `/b.creds binds the leafnode to account ${B} on the hub, but \`account\` binds it to ${A} here`,
  );
});

test("no output contains a seed, a password or a JWT", () => {
  // A seed is a separate word; an account's id may contain its letters.
  const secrets = /hunter2|\bS[UA][A-Z2-7]{40}|eyJ/;
  for (const [, , ...texts] of ROWS) {
    const urls = texts.map((text) => text.replaceAll("//h", "//me:hunter2@h"));
    expect(JSON.stringify(check(...urls))).not.toMatch(secrets);
  }
});

test.each([
  ["no file's text", "", "the file"],
  ["another program's", "apiVersion: v1\nkind: Service", "none of nats-server"],
])("a file without nats-server configuration is not checked: %s", (_what, text, problem) => {
  const { unchecked, findings } = check(text);
  expect(findings).toEqual([]);
  expect(unchecked).toMatchObject([
    {
      at: { file: "0.conf", line: 1 },
      problem: expect.stringMatching(text === "" ? "none of nats-server" : problem),
    },
  ]);
});

test.each<[string, string, Partial<CredentialsFile>]>([
  ["line ends of Windows", (DISK["/a.creds"] ?? "").replaceAll("\n", "\r\n"), { kind: "user", account: A }],
  ["a JWT alone", /eyJ\S+/.exec(DISK["/a.creds"] ?? "")?.[0] ?? "", { kind: "malformed" }],
  ["a broken JWT", (DISK["/a.creds"] ?? "").replace(/eyJ\S+/, "eyJ.x.y"), { kind: "malformed" }],
])("credentials with %s", (_what, text, expected) => {
  expect(readCredentials(text)).toMatchObject(expected);
});
