import { encodePublicKey } from "../../../domain/claims/nkey.ts";
import type { Operator } from "../../../domain/claims/operator.ts";
import { RelightError } from "../../../errors.ts";
import type { RemoteKey, Signer } from "../../../ports/keys.ts";
import { jwtSigner } from "../jwt/jwt-codec.ts";

/**
 * A signer with a remote key.
 * @throws RelightError `signer.untrusted_key` if servers would not trust its signatures.
 */
export function remoteSigner(key: RemoteKey, operator: Operator): Signer {
  return jwtSigner(encodePublicKey(key.publicKey, "operator"), operator, async (body) => {
    if (body.length > key.longestMessage) throw tooLarge(body.length, key.longestMessage);
    return key.sign(body);
  });
}

function tooLarge(size: number, most: number): RelightError {
  const message = `the account's JWT has ${size} bytes to sign, but the key signs at most ${most}`;
  return new RelightError("signer.too_large", message, { details: { size, most } });
}
