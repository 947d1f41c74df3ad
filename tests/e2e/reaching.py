"""Addresses as the pods know them, made reachable from here: `http://s3.storage.svc:7070` leads through a forward."""

import re
from urllib.parse import urlsplit, urlunsplit

from tests.e2e.forwarding import Forward
from tests.e2e.given import Cluster

_INSIDE = re.compile(r"(?P<service>[a-z0-9-]+)\.(?P<namespace>[a-z0-9-]+)\.svc(\.cluster\.local)?")


class Ways:
    """The forwards of a suite, one a service; `close` ends them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._forwards: dict[tuple[str, str, int], Forward] = {}

    def to(self, url: str) -> str:
        """The same address from here; one outside of the cluster is the same."""
        parts = urlsplit(url)
        inside = _INSIDE.fullmatch(parts.hostname or "")
        if inside is None:
            return url
        key = (inside["namespace"], inside["service"], parts.port or 80)
        if key not in self._forwards:
            self._forwards[key] = Forward(self._cluster, *key)
        return urlunsplit(parts._replace(netloc=urlsplit(self._forwards[key].url).netloc))

    def close(self) -> None:
        """Ends them all."""
        for forward in self._forwards.values():
            forward.close()
        self._forwards.clear()
