"""The buckets of the development cluster's object store."""

from collections.abc import Sequence
from typing import Any

from pipelines.cluster.secrets import Store

# A store that has just started may still be opening its first connections.
_TRIES = 5


def make_buckets(store: Store, address: str, names: Sequence[str]) -> list[str]:
    """Makes the buckets that are not there; returns their names.

    Args:
        address: where the store answers from here.
    """
    client = _client(store, address)
    made = [name for name in names if not _exists(client, name)]
    for name in made:
        client.create_bucket(Bucket=name)
    return made


def _client(store: Store, address: str) -> Any:
    import boto3
    from botocore.config import Config

    checksums = "when_required"  # newer clients add trailing checksums, which only some stores understand
    config = Config(
        retries={"max_attempts": _TRIES, "mode": "standard"},
        s3={"addressing_style": "path"},
        request_checksum_calculation=checksums,
        response_checksum_validation=checksums,
    )
    return boto3.client(
        "s3",
        endpoint_url=address,
        region_name=store.region,
        aws_access_key_id=store.access_key,
        aws_secret_access_key=store.secret_key,
        config=config,
    )


def _exists(client: Any, name: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        client.head_bucket(Bucket=name)
    except ClientError as err:
        if err.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404):
            return False
        raise
    return True
