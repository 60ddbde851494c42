/** The operator's keys, from the operator JWT. */
export interface Operator {
  readonly id: string;
  readonly name: string;
  readonly signingKeys: readonly string[];
  /** Whether the operator's own key may sign only its own JWT (`strict_signing_key_usage`). */
  readonly strictSigningKeyUsage: boolean;
  readonly systemAccount?: string;
}

/** The public keys whose signatures on account JWTs servers accept. */
export function trustedIssuers(operator: Operator): readonly string[] {
  return operator.strictSigningKeyUsage ? operator.signingKeys : [operator.id, ...operator.signingKeys];
}

/** The public keys whose deletion requests servers obey. Even with `strict_signing_key_usage` the own key is one. */
export function trustedDeleters({ id, signingKeys }: Operator): readonly string[] {
  return [id, ...signingKeys];
}
