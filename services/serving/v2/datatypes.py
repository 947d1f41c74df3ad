"""The protocol's datatypes: their names, numpy's, and what a model's features and outputs are in them."""

from collections.abc import Mapping

import numpy as np

from models.feature import Feature

BYTES, BOOL = "BYTES", "BOOL"

# As the binary extension lays them out: little-endian, packed. BYTES has no fixed size, BF16 no numpy type.
NUMPY: Mapping[str, np.dtype[np.generic]] = {
    BOOL: np.dtype("u1"),
    "UINT8": np.dtype("u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
KNOWN = (*NUMPY, BYTES)


def datatype_of(feature: Feature) -> str:
    """The datatype that metadata names for a feature; any other that holds its values is understood too."""
    if feature.dtype in ("category", "date"):
        return BYTES
    # An integer tensor has no NaN: where a value may be missing, a float says so.
    return "INT64" if feature.dtype == "integer" and feature.missing == "refuse" else "FP32"
