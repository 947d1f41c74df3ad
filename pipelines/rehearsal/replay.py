"""The rows that a rehearsal replays: captured ones where an address is given, else the held-out rows of a bundle."""

import gzip
import io
import json
from collections.abc import Mapping, Sequence

import numpy as np
import obstore
import pandas as pd
from obstore.exceptions import BaseError

from models.bundle import HELD_OUT, Bundle
from models.errors import ConfigError
from models.object_store import StoreError, open_store, why
from models.rows import decode

Rows = Sequence[Mapping[str, object]]
# Of the captured ones the latest: a rehearsal sends some 10,000 requests.
_MOST_ROWS = 20_000


def held_out_rows(bundle: Bundle) -> Rows:
    """The bundle's held-out rows as a client sends them."""
    table = pd.read_parquet(io.BytesIO(bundle.read(HELD_OUT)))
    names = [feature.name for feature in bundle.features]
    return decode(table[names].to_numpy(dtype=np.float32), bundle.features)


def captured_rows(uri: str, bundle: Bundle) -> Rows:
    """The latest rows in a capture log, of the bundle's model and with all of its features, whatever version answered.

    Raises:
        ConfigError: the address cannot be read, or has no row that can be sent.
    """
    wanted = {feature.name for feature in bundle.features}
    masked = {feature.name for feature in bundle.features if feature.sensitive}
    if masked:
        never = f"{', '.join(sorted(masked))}: sensitive, so never captured"
        raise ConfigError([f"traffic: {never}: leave --traffic out to replay held-out rows"])
    rows: list[Mapping[str, object]] = []
    try:
        store = open_store(uri)
        listed = obstore.list(store, prefix=f"model={bundle.manifest.model}/").collect()
        # Names sort by time inside a folder of an hour; folders of versions do not.
        paths = sorted((str(item["path"]) for item in listed), key=_when, reverse=True)
        for path in paths:
            if len(rows) >= _MOST_ROWS:
                break
            rows += _rows(bytes(obstore.get(store, path).bytes()), wanted)
    except StoreError as err:
        raise ConfigError([f"traffic: {err}"]) from err
    except (BaseError, OSError, ValueError) as err:
        raise ConfigError([f"traffic: {uri}: cannot be read {why(err, 'check access and network')}"]) from err
    if not rows:
        raise ConfigError([f"traffic: {uri}: holds no row of {bundle.manifest.model} with all of its features"])
    return rows[:_MOST_ROWS]


def _when(path: str) -> tuple[str, str]:
    folder, _, name = path.rpartition("/")
    return folder.rpartition("hour=")[2], name


def _rows(part: bytes, wanted: set[str]) -> list[Mapping[str, object]]:
    lines = gzip.decompress(part).decode().splitlines()
    found = [line["features"] for line in map(json.loads, lines) if "features" in line]
    return [features for features in found if set(features) == wanted]
