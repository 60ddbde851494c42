"""The start of a rotation in moto's Secrets Manager, with the steps left to the caller.

RotateSecret with a function whose ARN ends in ":external" labels a new, empty version AWSPENDING and invokes
nothing, as Secrets Manager has done by the time it calls a function's first step. A test then plays its part.
"""

import time

from moto.secretsmanager.models import SecretsManagerBackend


def install():
    others = SecretsManagerBackend.rotate_secret

    def rotate_secret(backend, secret_id, client_request_token=None, rotation_lambda_arn=None, **more):
        if not (rotation_lambda_arn or "").endswith(":external"):
            return others(backend, secret_id, client_request_token, rotation_lambda_arn, **more)
        secret = backend.secrets[secret_id]
        secret.remove_version_stages_from_old_versions(["AWSPENDING"])
        secret.versions[client_request_token] = {
            "createdate": int(time.time()),
            "version_id": client_request_token,
            "version_stages": ["AWSPENDING"],
        }
        secret.rotation_requested = True
        secret.rotation_enabled = True
        return secret.to_short_dict(version_id=client_request_token)

    SecretsManagerBackend.rotate_secret = rotate_secret
