"""The buckets of the development cluster's object store, and their policies."""

import json
from collections.abc import Sequence
from typing import Any

from pipelines.cluster.secrets import Store
from pipelines.cluster.store_rights import policy

# A store that has just started may still be opening its first connections.
_TRIES = 5


def make_buckets(store: Store, address: str, names: Sequence[str]) -> list[str]:
    """Makes the buckets that are not there, and says who may do what in each; returns the names of the new ones.

    Args:
        address: where the store answers from here.
    """
    client = _client(store, address)
    made = [name for name in names if not _exists(client, name)]
    for name in made:
        client.create_bucket(Bucket=name)
    for name in names:
        if _policy(client, name) != json.loads(policy(name)):
            client.put_bucket_policy(Bucket=name, Policy=policy(name))
    return made


def set_policy(store: Store, address: str, bucket: str, text: str) -> None:
    """Says who may do what in one bucket, in place of what `store_rights` says."""
    _client(store, address).put_bucket_policy(Bucket=bucket, Policy=text)


def holds(store: Store, address: str, bucket: str, key: str) -> bool:
    """Whether a bucket has an object."""
    from botocore.exceptions import ClientError

    try:
        _client(store, address).head_object(Bucket=bucket, Key=key)
    except ClientError as err:
        if err.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return False
        raise
    return True


def _client(store: Store, address: str) -> Any:
    import boto3
    from botocore.config import Config

    checksums = "when_required"  # newer clients add trailing checksums, which only some stores understand
    config = Config(
        retries={"max_attempts": _TRIES, "mode": "standard"},
        s3={"addressing_style": "path"},
        proxies={},  # a forwarded port of this machine
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


def _policy(client: Any, name: str) -> object:
    from botocore.exceptions import ClientError

    try:
        return json.loads(client.get_bucket_policy(Bucket=name)["Policy"])
    except ClientError as err:
        if err.response["Error"]["Code"] == "NoSuchBucketPolicy":
            return None
        raise


def _exists(client: Any, name: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        client.head_bucket(Bucket=name)
    except ClientError as err:
        if err.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404):
            return False
        raise
    return True
