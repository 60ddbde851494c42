/** Who may sign an account's claims, as read from the operator's JWT. */
export interface Operator {
  readonly id: string;
  readonly name: string;
  readonly signingKeys: readonly string[];
  /** With it the operator's own key may sign nothing but itself (`strict_signing_key_usage`). */
  readonly strictSigningKeyUsage: boolean;
  readonly systemAccount?: string;
}

/** The public keys whose signature on an account JWT the servers accept. */
export function trustedIssuers(operator: Operator): readonly string[] {
  return operator.strictSigningKeyUsage ? operator.signingKeys : [operator.id, ...operator.signingKeys];
}

/** The public keys whose order to delete accounts the servers obey: with `strict_signing_key_usage` the own key's too. */
export function trustedDeleters({ id, signingKeys }: Operator): readonly string[] {
  return [id, ...signingKeys];
}
