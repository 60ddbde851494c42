/** What a person may do: a viewer sees, an operator also acts. */
export type Role = "viewer" | "operator";

/** Who uses the console or the API. */
export interface Person {
  /** For the journal. */
  readonly name: string;
  readonly role: Role;
  /** How the person was let in; for the log. */
  readonly way: "loopback" | "token" | "oidc" | "trustedProxy";
}

/** Which names or groups get which role; `*` is everybody. */
export interface Roles {
  readonly operators: readonly string[];
  readonly viewers: readonly string[];
}

/** The role of somebody with these names or groups; undefined for none. */
export function roleOf({ operators, viewers }: Roles, names: readonly string[]): Role | undefined {
  const has = (list: readonly string[]): boolean => list.includes("*") || names.some((name) => list.includes(name));
  if (has(operators)) return "operator";
  return has(viewers) ? "viewer" : undefined;
}
