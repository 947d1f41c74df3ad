"""The cluster's MLflow and object store for the project's own functions, which read both from the environment."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from models.bundle import BUNDLE, MODEL, Bundle
from models.store import write_bytes
from tests.e2e.given import Cluster
from tests.e2e.reaching import Ways
from tests.e2e.waiting import say

_ENDPOINTS = ("AWS_ENDPOINT_URL", "MLFLOW_S3_ENDPOINT_URL")


class Stores:
    """Both, reached through forwards, with the rights of a training."""

    def __init__(self, cluster: Cluster, ways: Ways) -> None:
        self._cluster, self._ways = cluster, ways
        self._settings: dict[str, str] = {}

    @contextmanager
    def reachable(self) -> Iterator[None]:
        """For a while the environment says where they are."""
        if not self._settings:
            store = self._cluster.secret("training", "mainline-object-store")
            self._settings = {
                **store,
                **{name: self._ways.to(store[name]) for name in _ENDPOINTS if name in store},
                "MLFLOW_TRACKING_URI": self._ways.to("http://mlflow.mainline.svc:5000"),
                "MAINLINE_ARTIFACT_ROOT": "s3://mainline-artifacts/mlflow",
                # MLflow would print pages at the forward's address, which is gone when somebody looks
                "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
            }
        with environment(self._settings):
            yield


@contextmanager
def environment(settings: Mapping[str, str]) -> Iterator[None]:
    """These variables for a while."""
    former = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in former.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def tampered_copy(bundle: Bundle, uri: str, *, at: int | None = None) -> str:
    """A copy at another address whose graph differs by a bit, of the byte `at` or of the one in the middle.

    The digest stays what was released.
    """
    other = f"{uri}-tampered"
    data = bytearray(bundle.read(MODEL))
    data[len(data) // 2 if at is None else at] ^= 1
    for name in (BUNDLE, *bundle.manifest.files):
        content = bytes(data) if name == MODEL else (bundle.folder / name).read_bytes()
        write_bytes(f"{other}/{name}", content)
    say(f"{other}: one bit of {MODEL} changed")
    return other
