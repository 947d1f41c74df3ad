"""The saved state of a long training, at a URI, so that a retried pod with an empty disk goes on.

`training` makes one and hands it to a model's `fit` that asks for it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from models.store import read_bytes, write_bytes

_MAGIC = b"mainline-checkpoint-1\n"  # a prefix, so that another file at the same place is not taken for a checkpoint
_DIGEST_BYTES = hashlib.sha256().digest_size


@dataclass(frozen=True)
class Checkpoint:
    """One training's state at `prefix`/`key`.

    Attributes:
        prefix: a folder as file:// or s3:// URI.
        key: names the training; see `key_of`.
    """

    prefix: str
    key: str

    @property
    def uri(self) -> str:
        """Where the state is."""
        return f"{self.prefix.rstrip('/')}/{self.key}.checkpoint"

    def load(self) -> bytes | None:
        """The state last saved; None when there is none, or when it was not written whole."""
        try:
            data = read_bytes(self.uri)
        except FileNotFoundError:
            return None
        head = len(_MAGIC) + _DIGEST_BYTES
        state = data[head:]
        whole = data[:head] == _MAGIC + hashlib.sha256(state).digest()
        return state if whole else None

    def save(self, state: bytes) -> None:
        """Replaces the state; a kill leaves the former or the new one."""
        write_bytes(self.uri, _MAGIC + hashlib.sha256(state).digest() + state)


def key_of(*, model: str, commit: str, data_md5: str, parameters: Mapping[str, object]) -> str:
    """The name of a training: the same commit, data and parameters find each other's state, and no others do."""
    text = json.dumps([model, commit, data_md5, dict(parameters)], sort_keys=True)
    return f"{model}-{hashlib.sha256(text.encode()).hexdigest()[:32]}"
