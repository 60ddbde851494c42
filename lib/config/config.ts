import { dirname, resolve } from "node:path";
import ms from "ms";
import { LineCounter, parseDocument } from "yaml";
import * as z from "zod";
import { type AccountId, type AccountSettings, isAccountId } from "../domain/claims/account.ts";
import { CONFIGURED_MODES } from "../domain/ladder/mode.ts";
import { defined } from "../domain/time/defined.ts";
import { isJsonObject, type JsonObject } from "../domain/time/json.ts";
import type { Millis } from "../domain/time/time.ts";
import { RelightError } from "../errors.ts";
import { expandHome } from "../files/paths.ts";
import { readText } from "../files/read-text.ts";
import { clusterTls, serverAddress } from "./cluster.ts";
import { contentOf } from "./content.ts";
import { asWritten, type EscalationChannel, escalation, pageLinks } from "./escalation.ts";
import { describeIssue, invalid } from "./faults.ts";
import { UnusableContext, withContext } from "./nats-context.ts";
import { accountPolicy, checkOverrides, duration, generalPolicy, matchedPolicy } from "./policy.ts";
import { listeningOn, serve } from "./serve.ts";
import { writtenPath } from "./suggestions.ts";
import { EVEN_IF_FAULTY, exactlyOne, httpAddress, secretReference, signingReference } from "./values.ts";

const accountId = z
  .string()
  .refine(isAccountId, { message: "is not an account's public key (A and 55 characters of A-Z2-7)" });

const domainName = z
  .string()
  .regex(/^[^.*>\s]+$/, { message: "is not the name of a JetStream domain (no dots, spaces, * or >)" });

const account = z.strictObject({
  id: accountId,
  name: z.string().min(1).exactOptional(),
  signingKey: secretReference.exactOptional(),
  allowMemoryLoss: z.boolean().exactOptional(),
  /** JetStream domains that must answer the account. */
  domains: z.array(domainName).exactOptional(),
  policy: accountPolicy.exactOptional(),
});

/** A leafnode that must be connected, and the account that it must be bound to on the hub. */
const leafnode = z.strictObject({
  name: z.string().min(1),
  account: z.string().min(1),
  domain: domainName.exactOptional(),
});

/** Accounts, each once. Duplicates are reported together with other faults. */
const accounts = z.array(account).superRefine(
  (list: readonly { readonly id?: unknown }[], context) => {
    const ids = list.map((entry) => entry?.id);
    for (const [index, id] of ids.entries())
      if (typeof id === "string" && isAccountId(id) && ids.indexOf(id) < index)
        context.addIssue({ code: "custom", path: [index, "id"], message: `${id} appears twice` });
  },
  { when: ({ value }) => Array.isArray(value) },
);

const kubernetesName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, { message: "is not a valid Kubernetes name" });

const WAYS_TO_RESTART = ["command", "webhook", "kubernetes"] as const;
/** How long Node waits for an HTTP answer (undici's `headersTimeout`). */
const LONGEST_ANSWER = ms("5m");

/** How to restart a nats-server, in exactly one of three ways. */
const restart = z
  .strictObject({
    /** The program and its arguments; `{name}` and `{id}` are replaced by the server's. */
    command: z
      .array(z.string())
      .refine(([program]) => program, { message: "needs a program to run, followed by its arguments" })
      .optional(),
    /** Variables of Relight's environment that the program needs. */
    environment: z
      .array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { message: "is not the name of a variable" }))
      .exactOptional(),
    /** The secret is required, because a receiver that restarts servers must know who asks. */
    webhook: z.strictObject({ url: httpAddress, secret: secretReference }).optional(),
    kubernetes: z
      .strictObject({
        namespace: kubernetesName,
        statefulSet: kubernetesName,
        /** A context of the kubeconfig; by default its current one. */
        context: z.string().min(1).exactOptional(),
        kubeconfig: secretReference.exactOptional(),
      })
      .optional(),
    /** How long one restart may take. */
    timeout: duration.prefault("5m"),
  })
  .superRefine(exactlyOne(WAYS_TO_RESTART), EVEN_IF_FAULTY)
  .refine(({ webhook, timeout }) => webhook === undefined || timeout <= LONGEST_ANSWER, {
    path: ["timeout"],
    message: "can't be longer than 5m for a webhook; have the receiver answer 202 once it has accepted the request",
  });

const document = z.strictObject({
  cluster: z.strictObject({
    /** A context of the `nats` command, which stands for the next three; `true` is the selected one. */
    context: z.union([z.string().min(1), z.literal(true)], "is not a context's name, or true").optional(),
    servers: z.array(serverAddress).min(1, { message: "needs at least one server address" }),
    systemCredentials: secretReference,
    tls: clusterTls.optional(),
    /** The servers' HTTP monitoring, as a second source for their health. */
    monitoring: z.array(httpAddress).default([]),
    /** How long Relight waits for an answer. */
    timeout: duration.prefault("5s"),
  }),
  operator: z.strictObject({
    jwt: secretReference,
    signingKey: signingReference.optional(),
    /** Public keys that will be removed. Accounts still signed by one are listed. */
    retiring: z
      .array(z.string().regex(/^O[A-Z2-7]{55}$/, { message: "is not an operator's public key (O…)" }))
      .default([]),
  }),
  /** Relight changes nothing, whatever else is configured. */
  readOnly: z.boolean().default(false),
  /** The most that Relight may do. By default it depends on whether there is a key to sign with. */
  mode: z.enum(CONFIGURED_MODES).optional(),
  /** Credentials files whose expiry is watched in addition to Relight's own. */
  watch: z.strictObject({ credentials: z.array(secretReference).default([]) }).prefault({}),
  policy: generalPolicy.prefault({}),
  /** Policies for matching accounts; later ones win, key by key. */
  policies: z.array(matchedPolicy).default([]),
  accounts: accounts.default([]),
  leafnodes: z.array(leafnode).default([]),
  /** Where the accounts' JWTs are kept outside the cluster. */
  source: z
    .strictObject({
      from: z.string().regex(/^(nsc:.+|folder:.+|aws-sm-prefix:\/\/.+)$/, {
        message: "is not a source of JWTs; write nsc:PATH, folder:PATH or aws-sm-prefix://PREFIX",
      }),
      /** What to do if it differs from the cluster. */
      onDifference: z.enum(["page", "push", "adopt"]).default("page"),
    })
    .optional(),
  escalation,
  links: pageLinks,
  /** The key that signs the next system user when Secrets Manager rotates its credentials. */
  rotation: z
    .strictObject({
      systemSigningKey: secretReference,
      /** The lifetime of such a user; unlimited by default. */
      userLifetime: duration.exactOptional(),
    })
    .optional(),
  /** Without it Relight restarts nothing. */
  restart: restart.optional(),
  /** Secrets that the issuer's webhook may sign with; several allow rotation. */
  issuerWebhook: z.strictObject({ secrets: z.array(secretReference).min(1) }).optional(),
  /** Which accounts have a metric for their time until expiry; each costs money on AWS. */
  metrics: z.strictObject({ perAccount: z.enum(["critical", "all", "none"]).default("critical") }).prefault({}),
  journal: z
    .string()
    .regex(/^(sqlite|dynamodb):.+$/, { message: "write sqlite:PATH or dynamodb:TABLE" })
    .default("sqlite:relight.sqlite"),
  /** How long the journal keeps entries that no later run needs; forever by default. */
  journalKeeps: duration.exactOptional(),
  sweep: z
    .strictObject({
      /** A healthy account is checked again within this time, if the queue has room. */
      verifyEvery: duration.prefault("5m"),
      /** Sweeps stop queuing when this many jobs wait. */
      atMostWaiting: z.int().min(1).default(1_000),
    })
    .prefault({}),
  queue: z
    .string()
    .regex(/^(in-process|sqs:https?:\/\/.+)$/, { message: "write in-process or sqs:QUEUE-URL" })
    .default("in-process"),
  serve,
  /** The bus for Relight's events. If set, a subscriber notifies the channels. */
  events: z
    .string()
    .regex(/^eventbridge:(arn:[\w-]+:events:[\w-]+:\d{12}:event-bus\/)?[\w./-]+$/, {
      message: "write eventbridge:BUS with the bus' name or ARN",
    })
    .optional(),
});

/** A leafnode's account may be a configured name. Reported together with other faults. */
const checked = document.superRefine(
  (value: Raw, context) => {
    const names = value.accounts.map((entry) => entry?.name);
    for (const [index, entry] of value.leafnodes.entries()) {
      const text = entry?.account;
      if (typeof text !== "string" || isAccountId(text) || names.includes(text)) continue;
      const message = `"${text}" is neither an account's public key nor the name of a configured account`;
      context.addIssue({ code: "custom", path: ["leafnodes", index, "account"], message });
    }
  },
  { when: ({ value }) => isJsonObject(value) && LISTS.every((key) => Array.isArray(value[key])) },
);
const LISTS = ["accounts", "leafnodes"] as const;
/** The unvalidated parts that later checks need. */
interface Raw {
  readonly accounts: readonly ({ readonly name?: unknown } | undefined)[];
  readonly leafnodes: readonly ({ readonly account?: unknown } | undefined)[];
}
/** The schema of the configuration file. The test of the reference reads its keys. */
export const schema = checked.superRefine(({ policy, policies, accounts: list }, context) => {
  const overrides = [
    ...policies.map(({ match: _match, ...rules }, index) => ({ path: ["policies", index], rules })),
    ...list.map((entry, index) => ({ path: ["accounts", index, "policy"], rules: entry.policy ?? {} })),
  ];
  checkOverrides(policy, overrides, (path, message) => context.addIssue({ code: "custom", path: [...path], message }));
});

export type Config = Omit<z.infer<typeof schema>, "escalation"> & {
  readonly escalation: readonly EscalationChannel[];
  /** How long an account, or the whole cluster, is unknown before a person is paged. */
  readonly unknownAfter: Millis;
  /** The folder that relative `file:` references and the journal's path start from. */
  readonly baseDir: string;
};

/** Settings that a deployment knows and the author of the file may not: where jobs, entries and events go. */
export interface Overrides {
  readonly RELIGHT_JOURNAL?: string | undefined;
  readonly RELIGHT_QUEUE?: string | undefined;
  readonly RELIGHT_EVENTS?: string | undefined;
  readonly RELIGHT_LISTEN?: string | undefined;
  /** What names that address, for errors; by default the variable. */
  readonly listenNamedBy?: string | undefined;
  /** A context of the `nats` command, instead of what `cluster` says. */
  readonly RELIGHT_CONTEXT?: string | undefined;
  /** Where that command keeps its contexts, below `nats/`. */
  readonly XDG_CONFIG_HOME?: string | undefined;
}

/**
 * Reads and checks a configuration file.
 * @throws RelightError `config.not_found`, or `config.invalid` with *every* fault, its place and how to fix it.
 */
export async function loadConfig(file: string, overrides: Overrides = {}): Promise<Config> {
  const path = expandHome(file);
  return parseConfig(readConfig(path), path, overrides);
}

function readConfig(path: string): string {
  try {
    return readText(path);
  } catch (cause) {
    throw new RelightError("config.not_found", `the configuration ${path} ${(cause as Error).message}`, { cause });
  }
}

/** The same for a text. `origin` names it in errors, and relative paths start from its folder. */
export function parseConfig(text: string, origin: string, overrides: Overrides = {}): Config {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const syntax = document.errors.map(({ message }) => (message.split("\n")[0] ?? message).replace(/:$/, ""));
  if (syntax.length > 0) throw invalid(origin, syntax);

  const { RELIGHT_JOURNAL: journal, RELIGHT_QUEUE: queue, RELIGHT_EVENTS: events } = overrides;
  const content = inContext(contentOf(document, origin), origin, overrides);
  const listening = listeningOn(overrides.RELIGHT_LISTEN, content);
  const parsed = schema.safeParse({ ...listening, ...defined({ journal, queue, events }) });
  if (!parsed.success) {
    const issues = parsed.error.issues.map(asWritten(content["escalation"]));
    const wrongListen = issues.find(({ path }) => writtenPath(path) === "serve.listen");
    if (overrides.RELIGHT_LISTEN !== undefined && wrongListen !== undefined)
      throw new RelightError(
        "config.invalid",
        `${overrides.listenNamedBy ?? "RELIGHT_LISTEN"}: ${wrongListen.message}`,
      );
    throw invalid(
      origin,
      issues.flatMap((issue) => describeIssue(schema, issue)),
    );
  }
  const { channels, unknownAfter } = parsed.data.escalation;
  return { ...parsed.data, escalation: channels, unknownAfter, baseDir: dirname(resolve(origin)) };
}

/** The configured accounts, with the leafnodes that must be bound to them. */
export function accountSettings({ accounts: configured, leafnodes }: Config): Map<AccountId, AccountSettings> {
  const settings = new Map<AccountId, AccountSettings>(configured.map((entry) => [entry.id, entry]));
  for (const { account: text, ...expected } of leafnodes) {
    const id = isAccountId(text) ? text : configured.find(({ name }) => name === text)?.id;
    if (id === undefined) continue;
    const entry = settings.get(id) ?? { id };
    settings.set(id, { ...entry, leafnodes: [...(entry.leafnodes ?? []), expected] });
  }
  return settings;
}

/** @throws RelightError `config.invalid` */
function inContext(content: JsonObject, origin: string, overrides: Overrides): JsonObject {
  try {
    return withContext(content, overrides.RELIGHT_CONTEXT, { ...overrides });
  } catch (cause) {
    if (!(cause instanceof UnusableContext)) throw cause;
    throw invalid(origin, [`cluster.context: ${cause.message}`]);
  }
}
