import { GetPublicKeyCommand, type GetPublicKeyCommandOutput, KMSClient, SignCommand } from "@aws-sdk/client-kms";
import { defined } from "../../../domain/time/defined.ts";
import { type ErrorCode, RelightError } from "../../../errors.ts";
import type { RemoteKey } from "../../../ports/keys.ts";
import { CLIENT_SETTINGS, errorName } from "../client-settings.ts";

const REFERENCE = /^aws-kms:\/\/(.+)$/;
const SPEC = "ECC_NIST_EDWARDS25519";
/** The maximum for RAW messages. Only RAW is plain Ed25519; ED25519_PH_SHA_512 signs a digest, which NATS servers do not accept. */
const LONGEST_MESSAGE = 4096;
/** The DER of an Ed25519 SubjectPublicKeyInfo before its 32 bytes of key (RFC 8410). */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

/** Error codes for KMS errors; all others (throttling, network, internal errors) are `signer.unavailable`. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  AccessDeniedException: "signer.denied",
  NotFoundException: "signer.unusable_key",
  DisabledException: "signer.unusable_key",
  // Scheduled for deletion, or without key material.
  KMSInvalidStateException: "signer.unusable_key",
  // An encryption key, or a key spec without this algorithm.
  InvalidKeyUsageException: "signer.unusable_key",
  UnsupportedOperationException: "signer.unusable_key",
  InvalidArnException: "signer.unusable_key",
  ValidationException: "signer.unusable_key",
};

/** A client for the region in the reference's ARN, otherwise for the environment's. */
function kmsClient(reference: string): KMSClient {
  const [, region] = /^aws-kms:\/\/arn:[^:]+:kms:([^:]+):/.exec(reference) ?? [];
  return new KMSClient({ ...CLIENT_SETTINGS, ...defined({ region }) });
}

/**
 * The key of `aws-kms://KEY`, where KEY is a key id, key ARN, `alias/NAME` or alias ARN. An alias is resolved only once,
 * so changing it does not change the key of this object.
 * @throws RelightError `secret.invalid_reference`, `signer.unusable_key`, `signer.denied`, `signer.unavailable`.
 */
export async function kmsKey(reference: string, client = kmsClient(reference)): Promise<RemoteKey> {
  const [, name] = REFERENCE.exec(reference) ?? [];
  if (name === undefined) throw new RelightError("secret.invalid_reference", `${reference} is not aws-kms://KEY`);
  const answer = await client.send(new GetPublicKeyCommand({ KeyId: name })).catch((cause: unknown) => {
    throw kmsError(reference, "return its public key", cause);
  });
  const publicKey = edwardsKey(answer, reference);
  const KeyId = answer.KeyId ?? name;
  return {
    publicKey,
    longestMessage: LONGEST_MESSAGE,
    sign: async (Message) => {
      const algorithm = { MessageType: "RAW", SigningAlgorithm: "ED25519_SHA_512" } as const;
      const order = new SignCommand({ KeyId, Message, ...algorithm });
      const { Signature } = await client.send(order).catch((cause: unknown) => {
        throw kmsError(reference, "sign", cause);
      });
      if (Signature?.length === 64) return Signature;
      throw unusable(reference, "returned a signature that is not Ed25519");
    },
  };
}

function edwardsKey(answer: GetPublicKeyCommandOutput, reference: string): Uint8Array {
  const { PublicKey = new Uint8Array(), KeySpec, CustomerMasterKeySpec } = answer;
  const der = Buffer.from(PublicKey);
  if (der.length === SPKI_PREFIX.length + 32 && der.subarray(0, SPKI_PREFIX.length).equals(SPKI_PREFIX))
    return der.subarray(SPKI_PREFIX.length);
  throw unusable(reference, `has the key spec ${KeySpec ?? CustomerMasterKeySpec ?? "(none)"}, not ${SPEC}`);
}

function unusable(reference: string, problem: string): RelightError {
  return new RelightError("signer.unusable_key", `${reference} ${problem}`, { details: { reference } });
}

function kmsError(reference: string, what: string, cause: unknown): RelightError {
  const reason = errorName(cause);
  const message = `${reference} does not ${what}: ${reason}`;
  const code = CODES[reason] ?? "signer.unavailable";
  return new RelightError(code, message, { cause, details: { reference, reason } });
}
