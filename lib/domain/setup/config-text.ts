import type { FoundAccount } from "./found.ts";
import type { Setup } from "./plan-setup.ts";

/** The text of a `relight.yaml`. It refers to secrets and contains none. */
export function configText(setup: Setup): string {
  return [
    "# Written by `relight init`. docs/reference.md describes every key.",
    "# It refers to secrets and contains none: file:PATH, env:NAME or aws-sm://NAME#FIELD.",
    "",
    ...clusterLines(setup),
    "",
    ...operatorLines(setup),
    ...(setup.readOnly ? ["", "# Relight reports what it would do, and changes nothing.", "readOnly: true"] : []),
    "",
    "# A renewed JWT is valid for this long. Renewals begin this long before the expiry.",
    "policy:",
    "  lifetime: 90d",
    "  renewBefore: 30d",
    ...accountLines(setup.operator.accounts),
    ...sourceLines(setup.operator.folder),
    "",
    "# Whom Relight calls if an account stays dead; without a channel nobody.",
    "# escalation:",
    '#   - slack: { url: "env:SLACK_URL" }',
    "",
  ].join("\n");
}

function clusterLines({ context, servers, serversFrom, systemCredentials }: Setup): string[] {
  return [
    "cluster:",
    ...(context === undefined
      ? []
      : ["  # A context of the nats command: servers, user and TLS.", `  context: ${scalar(context)}`]),
    ...(servers === undefined
      ? []
      : [`  # ${serversFrom}`, "  servers:", ...servers.map((url) => `    - ${scalar(url)}`)]),
    ...(systemCredentials === undefined
      ? []
      : ["  # A user of the system account.", `  systemCredentials: ${scalar(systemCredentials)}`]),
  ];
}

function operatorLines({ operator, signingKey }: Setup): string[] {
  const key =
    signingKey === undefined
      ? [
          "  # No key was found that may sign for this operator. To let Relight renew, name one and remove readOnly.",
          "  # signingKey: file:operator.nk",
        ]
      : [`  # Relight signs with ${signingKey.about}.`, `  signingKey: ${scalar(signingKey.reference)}`];
  return ["operator:", `  # ${oneLine(operator.name)} (${operator.id})`, `  jwt: ${scalar(operator.jwt)}`, ...key];
}

function accountLines(accounts: readonly FoundAccount[]): string[] {
  const signed = accounts.flatMap(({ id, name, key }) =>
    key === undefined
      ? []
      : [`  - id: ${id}`, `    name: ${scalar(name)}`, `    signingKey: ${scalar(`file:${key.file}`)}`],
  );
  if (signed.length === 0) return [];
  return [
    "",
    "# With an account's key Relight also checks what the account's own clients see. Accounts that are not listed are",
    "# found on the servers.",
    "accounts:",
    ...signed,
  ];
}

function sourceLines(folder: string | undefined): string[] {
  if (folder === undefined) return [];
  return [
    "",
    "# Where the accounts' JWTs are kept outside the cluster. Relight reports what differs.",
    "source:",
    `  from: ${scalar(`nsc:${folder}`)}`,
    "  onDifference: page",
  ];
}

const oneLine = (text: string): string => text.replace(/[\p{Cc}\u2028\u2029]/gu, " ");

/** A value as YAML; a JSON string is one, too. */
const scalar = (text: string): string =>
  /^[A-Za-z/][\w/.@+~-]*(:[\w/.@+~:-]+)?$/.test(text) && !/^(true|false|yes|no|on|off|null|y|n)$/i.test(text)
    ? text
    : JSON.stringify(text);
