import { describe, expect, test } from "@jest/globals";
import { createAccount } from "@nats-io/nkeys";
import { parseConfig } from "../../../lib/config/config.ts";
import type { AccountId } from "../../../lib/domain/claims/account.ts";
import { configText } from "../../../lib/domain/setup/config-text.ts";
import type { Found, FoundOperator } from "../../../lib/domain/setup/found.ts";
import { planSetup, type Setup, type SetupWishes } from "../../../lib/domain/setup/plan-setup.ts";

const OPERATOR: FoundOperator = {
  name: "LAB",
  id: "OID",
  jwt: "file:/nsc/stores/LAB/LAB.jwt",
  folder: "/nsc/stores/LAB",
  isCurrent: false,
  serviceUrls: ["nats://a:4222", "wss://a:443"],
  systemAccount: "SYS",
  keys: [
    { publicKey: "OSIGN", file: "/nsc/keys/OSIGN.nk" },
    { publicKey: "OID", file: "/nsc/keys/OID.nk" },
  ],
  systemCredentials: ["/nsc/creds/sys.creds", "/nsc/creds/other.creds"],
  accounts: [],
};
const FOUND: Found = { operators: [OPERATOR], stores: ["/nsc/stores"], contexts: [], local: [] };
const PROD = { name: "prod", servers: ["nats://p:4222"], account: "SYS" };

const plan = (found: Partial<Found> = {}, wishes: Partial<SetupWishes> = {}) =>
  planSetup({ ...FOUND, ...found }, { readOnly: false, ...wishes });
const withOperator = (changes: Partial<FoundOperator>): Found => ({
  ...FOUND,
  operators: [{ ...OPERATOR, ...changes }],
});

describe("a setup", () => {
  test("takes what nsc has: service URLs for clients, the best system user and the signing key", () => {
    expect(plan()).toMatchObject({
      setup: {
        servers: ["nats://a:4222"],
        systemCredentials: "file:/nsc/creds/sys.creds",
        signingKey: { reference: "file:/nsc/keys/OSIGN.nk" },
        readOnly: false,
      },
    });
    expect(plan()).not.toHaveProperty("setup.context");
  });

  test("takes the operator's own key only if it has no other", () => {
    const { setup } = plan(withOperator({ keys: OPERATOR.keys.slice(1) })) as { setup: Setup };
    expect(setup.signingKey).toEqual({
      reference: "file:/nsc/keys/OID.nk",
      about: "the operator's own key OID; a signing key would be safer",
    });
  });

  test("is read-only without a key, or if somebody says so", () => {
    expect(plan(withOperator({ keys: [] }))).toMatchObject({ setup: { readOnly: true } });
    expect(plan(withOperator({ keys: [] }))).not.toHaveProperty("setup.signingKey");
    expect(plan({}, { readOnly: true })).toMatchObject({ setup: { readOnly: true, signingKey: {} } });
  });

  test("prefers everything that somebody says", () => {
    const wishes = { servers: ["s"], systemCredentials: "env:CREDS", signingKey: "aws-kms://k" };
    expect(plan({ contexts: [PROD] }, wishes)).toMatchObject({
      setup: { servers: ["s"], systemCredentials: "env:CREDS", signingKey: { reference: "aws-kms://k" } },
    });
    const { setup } = plan({}, { context: "prod" }) as { setup: Setup };
    expect(setup).toMatchObject({ context: "prod" });
    expect(setup).not.toHaveProperty("servers");
    expect(setup).not.toHaveProperty("systemCredentials");
  });

  test.each<[string, Partial<FoundOperator>, Partial<Found>, object]>([
    ["credentials", { systemCredentials: [] }, {}, { context: "prod", servers: ["nats://a:4222"] }],
    ["servers", { serviceUrls: [] }, { local: ["nats://127.0.0.1:4222"] }, { context: "prod" }],
  ])("takes missing %s from the only context of the system account", (_what, operator, found, expected) => {
    const other = { name: "app", servers: ["x"], account: "APP" };
    const contexts = [PROD, other];
    expect(planSetup({ ...withOperator(operator), ...found, contexts }, { readOnly: false })).toMatchObject({
      setup: expected,
    });
    const two = { ...withOperator(operator), contexts: [PROD, { ...PROD, name: "staging" }] };
    expect(planSetup(two, { readOnly: false })).toHaveProperty("missing");
  });

  test("takes a server on this machine if nothing else is known", () => {
    expect(plan({ ...withOperator({ serviceUrls: [] }), local: ["nats://127.0.0.1:4222"] })).toMatchObject({
      setup: { servers: ["nats://127.0.0.1:4222"] },
    });
  });
});

describe("what is missing", () => {
  const other = { ...OPERATOR, name: "OTHER", id: "OOTHER" };
  test.each<[string, Partial<Found>, Partial<SetupWishes>, object]>([
    ["an operator", { operators: [] }, {}, { what: "operator JWT", stores: ["/nsc/stores"] }],
    ["a choice of operators", { operators: [OPERATOR, other] }, {}, { what: "operator", among: [OPERATOR, other] }],
    ["the operator that was named", { operators: [OPERATOR] }, { operator: "X" }, { what: "operator", wanted: "X" }],
    ["credentials", withOperator({ systemCredentials: [] }), {}, { what: "system credentials" }],
    ["servers", withOperator({ serviceUrls: [] }), {}, { what: "servers" }],
  ])("%s", (_what, found, wishes, missing) => {
    expect(plan(found, wishes)).toMatchObject({ missing });
  });

  test("nothing, once it was said: by name or by public key", () => {
    const operators = [OPERATOR, other];
    for (const operator of ["OTHER", "OOTHER"])
      expect(plan({ operators }, { operator })).toMatchObject({ setup: { operator: { name: "OTHER" } } });
  });
});

describe("the text", () => {
  const id = createAccount().getPublicKey() as AccountId;
  const textOf = (found: Found, wishes: Partial<SetupWishes> = {}): string =>
    configText((planSetup(found, { readOnly: false, ...wishes }) as { setup: Setup }).setup);

  test("is a valid configuration with references only", () => {
    const key = { publicKey: id, file: '/keys/with "quotes" and #.nk' };
    const text = textOf(
      withOperator({
        accounts: [
          { id, name: "yes: no", key },
          { id, name: "without" },
        ],
      }),
    );
    expect(parseConfig(text, "/home/relight.yaml")).toMatchObject({
      cluster: { servers: ["nats://a:4222"], systemCredentials: "file:/nsc/creds/sys.creds" },
      operator: { jwt: "file:/nsc/stores/LAB/LAB.jwt", signingKey: "file:/nsc/keys/OSIGN.nk" },
      accounts: [{ id, name: "yes: no", signingKey: `file:${key.file}` }],
      source: { from: "nsc:/nsc/stores/LAB", onDifference: "page" },
      readOnly: false,
    });
  });

  test.each(["true", "1", "0x1", "~", "a: b", "# a", "- a", "null", "é", "a\nb", "*a", "12:30"])(
    "keeps the name %j",
    (name) => {
      const key = { publicKey: id, file: "/k" };
      const text = textOf(withOperator({ name: `${name}\nevil: key`, accounts: [{ id, name, key }] }));
      expect(parseConfig(text, "r").accounts).toMatchObject([{ name }]);
    },
  );

  test("without a key is read-only, and says how to change that", () => {
    const text = textOf(withOperator({ keys: [] }));
    expect(parseConfig(text, "r")).toMatchObject({ readOnly: true });
    expect(text).toContain("# signingKey: file:operator.nk");
  });
});
