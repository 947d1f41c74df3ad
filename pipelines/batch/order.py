"""What is asked of a batch prediction: which bundle, what goes along, what becomes of rows that are refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from models.bundle import Digest
from models.errors import GateClosed
from models.manifest import Manifest

ROW = "row"
EVERY_COLUMN = "*"


class Layout(StrEnum):
    """How the files of predictions are written."""

    PARQUET = "parquet"
    CSV = "csv"


class Refusal(StrEnum):
    """What becomes of a file in which the model's declaration refuses rows: none of it is written, or all but those."""

    FAIL = "fail"
    SET_ASIDE = "set-aside"


class FileRefused(GateClosed):
    """A file of rows cannot be predicted as it is; the others are."""


@dataclass(frozen=True)
class Order:
    """One batch prediction, whatever its files.

    Attributes:
        model: the model's name.
        version: the registered version, as text.
        bundle: URI of its bundle.
        digest: the bundle's digest, which every file of predictions carries.
        keep: columns of the input that go along unchanged, in this order; `*` for all.
        layout: of the files of predictions.
        refusal: what becomes of refused rows.
    """

    model: str
    version: str
    bundle: str
    digest: Digest
    keep: tuple[str, ...] = ()
    layout: Layout = Layout.PARQUET
    refusal: Refusal = Refusal.FAIL


def answered(manifest: Manifest) -> list[str]:
    """Names of the columns that hold a model's answer, in order: as in a bundle's reference window."""
    if manifest.classes:
        return ["prediction", *(f"probability:{name}" for name in manifest.classes)]
    return [output.name for output in manifest.outputs]


def kept_columns(keep: Sequence[str], present: Sequence[str], manifest: Manifest, source: str) -> list[str]:
    """The columns that go along.

    Raises:
        FileRefused: a column that the file has not, or whose name a column of the answer has.
    """
    names = list(present) if EVERY_COLUMN in keep else list(dict.fromkeys(keep))
    taken = {ROW, *answered(manifest)}
    problems = [
        f"{source}: keep: column {name!r} is not there; it has {', '.join(present)}"
        for name in names
        if name not in present
    ]
    problems += [
        f"{source}: keep: column {name!r} is a column of the answer; rename it" for name in names if name in taken
    ]
    if problems:
        raise FileRefused("\n".join(problems))
    return names
