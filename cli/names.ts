import type { App } from "../lib/compose/compose.ts";

/** The account's name, or its id if it has none. */
export type NameOf = (account: string) => string;

/** The names of these accounts: from the configuration, or else as the journal last saw them. */
export async function namesIn(app: App, accounts: Iterable<string>): Promise<NameOf> {
  const nameless = new Set([...accounts].filter((id) => id !== "-" && app.nameOf(id) === id));
  const names = new Map<string, string>();
  if (nameless.size > 0)
    for await (const { account, name } of app.journal.accounts()) {
      if (nameless.delete(account) && name !== "") names.set(account, name);
      if (nameless.size === 0) break;
    }
  return (account) => names.get(account) ?? app.nameOf(account);
}

/** The names of all accounts, for a command that runs for long; `learn` adds what it hears. */
export async function growingNames(
  app: App,
): Promise<{ nameOf: NameOf; learn: (account: string, name: string) => void }> {
  const names = new Map<string, string>();
  for await (const { account, name } of app.journal.accounts()) if (name !== "") names.set(account, name);
  return {
    nameOf: (account) => {
      const configured = app.nameOf(account);
      return configured === account ? (names.get(account) ?? account) : configured;
    },
    learn: (account, name) => void names.set(account, name),
  };
}
