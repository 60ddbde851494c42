import type { KeyPair } from "@nats-io/nkeys";
import type { Claims } from "./keys.ts";

/** All limits, because a missing one means zero, and a system account with zero connections locks out everybody. */
export const UNLIMITED = {
  subs: -1,
  data: -1,
  payload: -1,
  imports: -1,
  exports: -1,
  wildcards: true,
  conn: -1,
  leaf: -1,
};
export const JETSTREAM = {
  mem_storage: 67_108_864,
  disk_storage: -1,
  streams: -1,
  consumer: -1,
  max_ack_pending: -1,
};

export function accountClaims(name: string, key: KeyPair, signingKey: KeyPair, limits: object): Claims {
  return {
    sub: key.getPublicKey(),
    name,
    nats: {
      limits,
      signing_keys: [signingKey.getPublicKey()],
      default_permissions: { pub: {}, sub: {} },
      authorization: {},
      // An unknown claim with characters that encoders rewrite; a renewal must keep it.
      x_note: "kept as it is: <&> é",
      type: "account",
      version: 2,
    },
  };
}

export interface OperatorKeys {
  readonly operator: KeyPair;
  readonly operatorSigningKey: KeyPair;
  readonly systemAccount: KeyPair;
}

/** `more`: further signing keys, by their public keys. */
export function operatorClaims(keys: OperatorKeys, strict: boolean, more: readonly string[] = []): Claims {
  return {
    sub: keys.operator.getPublicKey(),
    name: "LAB",
    nats: {
      signing_keys: [keys.operatorSigningKey.getPublicKey(), ...more],
      system_account: keys.systemAccount.getPublicKey(),
      strict_signing_key_usage: strict,
      type: "operator",
      version: 2,
    },
  };
}
