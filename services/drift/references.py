"""Bundles as the judge needs them: what a version was trained on, what it announced, and its graph to ask again.

A bundle is found by what the headers of the capture log name, so only under the places that are configured, and it is
verified to the last byte like everywhere else.
"""

import io
import shutil
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd

from models.bundle import HELD_OUT, REFERENCE, Bundle, BundleError, Digest
from models.errors import MainlineError
from models.feature import Feature
from models.findings import Matrix
from models.object_store import Patience
from models.predictor import Predictor
from models.store import fetch
from services.drift.answers import Answers, from_frame, from_outputs
from services.drift.sample import Sample

MAX_LOADED = 6  # a bundle is 40 kB to some MB here; stable and candidate of three models
MAX_ON_DISK = 24
# A judgement may take 20 s in all, and is asked for again.
_PATIENCE = Patience(request_seconds=12.0, retry_seconds=3.0)


class NotAllowed(MainlineError):  # noqa: N818  (what happened)
    """The capture log names a bundle outside the configured stores."""


@dataclass(frozen=True)
class Reference:
    """A verified bundle, its tables read."""

    bundle: Bundle
    predictor: Predictor

    @property
    def features(self) -> tuple[Feature, ...]:
        """Inputs in the order of the graph's columns."""
        return self.bundle.features

    @cached_property
    def trained_on(self) -> Sample:
        """Rows of reference.parquet."""
        return self._table(REFERENCE)[0]

    @cached_property
    def held_out(self) -> tuple[Sample, Answers]:
        """Rows of held_out.parquet, and what the bundle's graph answered when it was made."""
        sample, frame = self._table(HELD_OUT)
        return sample, from_frame(frame, self.bundle.manifest)

    def answers(self, matrix: Matrix) -> Answers:
        """What the bundle's own graph answers."""
        outputs = self.predictor.predict(np.ascontiguousarray(matrix))
        return from_outputs(outputs, self.bundle.manifest)

    def _table(self, name: str) -> tuple[Sample, pd.DataFrame]:
        try:
            frame = pd.read_parquet(io.BytesIO(self.bundle.read(name)))
            columns = [feature.name for feature in self.features]
            return Sample(self.features, frame[columns].to_numpy(dtype=np.float32)), frame
        except (ValueError, OSError, KeyError) as err:  # pyarrow's errors are ValueError or OSError
            raise BundleError(f"{name} of {self.bundle.digest[:19]}: cannot be read ({err}); train again") from err


class References:
    """Loads bundles and keeps a few. May be used from several threads."""

    def __init__(self, stores: tuple[str, ...], cache: Path) -> None:
        self._stores = tuple(store.rstrip("/") + "/" for store in stores)
        self._cache = cache
        self._loaded: OrderedDict[str, Reference] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, *, model: str, uri: str, digest: str) -> Reference:
        """The bundle of this digest.

        Raises:
            NotAllowed: its address is under none of the stores.
            MainlineError: it cannot be had, or is not what it should be.
        """
        self._check(uri)
        with self._lock:
            found = self._loaded.get(digest)
            if found is None:
                folder = self._cache / digest.removeprefix("sha256:")
                bundle = fetch(uri, folder, Digest(digest), patience=_PATIENCE)
                found = Reference(bundle, Predictor(bundle))
                self._loaded[digest] = found
                self._prune(keep=folder)
            self._loaded.move_to_end(digest)
        if found.bundle.manifest.model != model:
            raise BundleError(f"{uri}: holds model {found.bundle.manifest.model!r}, the capture log says {model!r}")
        return found

    def _check(self, uri: str) -> None:
        plain = unquote(uri)
        inside = any(plain.startswith(store) for store in self._stores)
        if not inside or ".." in plain.split("/") or "\\" in plain:
            raise NotAllowed(
                f"{uri!r:.200}: outside of the stores {' '.join(self._stores) or '(none)'}; see its headers"
            )

    def _prune(self, *, keep: Path) -> None:
        while len(self._loaded) > MAX_LOADED:
            self._loaded.popitem(last=False)
        loaded = {keep.name, *(digest.removeprefix("sha256:") for digest in self._loaded)}
        folders = sorted(
            (path for path in self._cache.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime
        )
        for folder in folders[: max(0, len(folders) - MAX_ON_DISK)]:
            if folder.name not in loaded:
                shutil.rmtree(folder, ignore_errors=True)
