"""Ed25519 keys for moto's KMS, which moto 5.2 does not know yet.

As the KMS API reference documents them: key spec ECC_NIST_EDWARDS25519 (CreateKey), ED25519_SHA_512 on raw
messages of at most 4096 bytes (Sign), refusals of disabled keys and of keys marked for deletion. The signatures
are real Ed25519 (RFC 8032). Not emulated: ED25519_PH_SHA_512, Verify, key policies, grants and throttling.
"""

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from moto.core.exceptions import JsonRESTError
from moto.kms import models, responses, utils
from moto.kms.exceptions import ValidationException

SPEC = "ECC_NIST_EDWARDS25519"
PLAIN = "ED25519_SHA_512"
PREHASHED = "ED25519_PH_SHA_512"
MOST_BYTES = 4096


class Refusal(JsonRESTError):
    code = 400


class EdwardsKey(utils.AbstractPrivateKey):
    def __init__(self):
        self.private_key = Ed25519PrivateKey.generate()

    def sign(self, message, signing_algorithm):
        if signing_algorithm != PLAIN:
            raise Refusal("UnsupportedOperationException", f"{signing_algorithm} is not emulated")
        return self.private_key.sign(message)

    def verify(self, message, signature, signing_algorithm):
        raise Refusal("UnsupportedOperationException", "Verify is not emulated")

    def public_key(self):
        return self.private_key.public_key().public_bytes(
            encoding=serialization.Encoding.DER,
            format=serialization.PublicFormat.SubjectPublicKeyInfo,
        )


def install():
    add_the_key_spec()
    refuse_as_kms_does()


def add_the_key_spec():
    specs = utils.KeySpec.key_specs()
    utils.KeySpec.key_specs = classmethod(lambda cls: sorted([*specs, SPEC]))

    others = models.generate_private_key
    models.generate_private_key = lambda spec: EdwardsKey() if spec == SPEC else others(spec)

    algorithms = models.Key.signing_algorithms.fget
    models.Key.signing_algorithms = property(
        lambda key: [PLAIN, PREHASHED] if key.key_spec == SPEC else algorithms(key)
    )


def refuse_as_kms_does():
    sign = responses.KmsResponse.sign
    get_public_key = responses.KmsResponse.get_public_key

    def checked_sign(response):
        assert_usable(response)
        if len(response._get_param("Message")) > MOST_BYTES:
            raise ValidationException(
                "1 validation error detected: Value at 'message' failed to satisfy constraint: "
                f"Member must have length less than or equal to {MOST_BYTES}"
            )
        raw = (response._get_param("MessageType") or "RAW") == "RAW"
        if response._get_param("SigningAlgorithm") == PLAIN and not raw:
            raise ValidationException(f"{PLAIN} requires MessageType RAW")
        return sign(response)

    def checked_get_public_key(response):
        assert_usable(response)
        return get_public_key(response)

    responses.KmsResponse.sign = checked_sign
    responses.KmsResponse.get_public_key = checked_get_public_key


def assert_usable(response):
    key_id = response._get_param("KeyId")
    response._validate_key_id(key_id)
    key = response.kms_backend.describe_key(key_id)
    if key.key_state == "Disabled":
        raise Refusal("DisabledException", f"{key.arn} is disabled.")
    if key.key_state == "PendingDeletion":
        raise Refusal("KMSInvalidStateException", f"{key.arn} is pending deletion.")
