"""The development cluster's object store as its owner sees it: a bucket's policy, changed for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.cluster.buckets import make_buckets, set_policy
from pipelines.cluster.secrets import own_store
from tests.e2e.given import Cluster
from tests.e2e.reaching import Ways
from tests.e2e.waiting import say


@contextmanager
def policed(cluster: Cluster, ways: Ways, bucket: str, policy: str) -> Iterator[None]:
    """A bucket with another policy; afterwards it is the installer's again."""
    store = own_store(cluster.secret("storage", "s3"))
    address = ways.to(store.address)
    set_policy(store, address, bucket, policy)
    say(f"{bucket} has another policy")
    try:
        yield
    finally:
        make_buckets(store, address, [bucket])
