/** What a person may do: a viewer sees, an operator also acts. */
export type Role = "viewer" | "operator";

/** Who looks at the console. */
export interface Person {
  /** For the journal. */
  readonly name: string;
  readonly role: Role;
  /** Whether there is a session to end. */
  readonly signsOut: boolean;
  /** How the person was let in; for the log. */
  readonly way: "loopback" | "token" | "oidc" | "trustedProxy";
}
