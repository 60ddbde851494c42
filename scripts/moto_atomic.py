"""
DynamoDB writes an item only if its condition holds, at once. Moto looks first and writes afterwards, and answers requests
in threads, so of two conditional writes at the same moment both succeed, and one is lost.
"""
import threading
from functools import wraps

from moto.dynamodb.models import DynamoDBBackend

WRITES = ("put_item", "update_item", "delete_item", "transact_write_items")


def install():
    lock = threading.RLock()

    def alone(write):
        @wraps(write)
        def locked(*args, **kwargs):
            with lock:
                return write(*args, **kwargs)

        return locked

    for name in WRITES:
        setattr(DynamoDBBackend, name, alone(getattr(DynamoDBBackend, name)))
