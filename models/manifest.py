"""The schema of bundle.json and golden.json: what a bundle says about itself. `bundle` writes and verifies them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from models.bundle_errors import NotABundle
from models.declaration import Declared
from models.feature import Feature, Name
from models.serving_limits import Serving, Task

if TYPE_CHECKING:
    from models.spec import ModelSpec

FORMAT = 2
MIN_GOLDEN_ROWS = 16

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


# Parts of a manifest are built with the whole: each one's own schema, which a server never asks, is built when asked.
class Output(Declared, defer_build=True):
    """One output of the graph."""

    name: Literal["probabilities", "prediction", "lower", "upper"]
    dtype: Literal["float32"] = "float32"
    unit: str | None = None


class Lineage(Declared, defer_build=True):
    """Where the bundle comes from."""

    commit: str
    dirty: bool
    data_md5: str
    run_id: str
    workflow: str
    training_image: str


class FileEntry(Declared, defer_build=True):
    """One other file of the bundle: its hash and its size in bytes."""

    sha256: Sha256
    size: Annotated[int, Field(ge=0)]


class Manifest(Declared):
    """bundle.json. `files` is empty until the bundle is written."""

    format: Literal[2] = 2
    model: str
    task: Task
    inputs: Annotated[tuple[Feature, ...], Field(min_length=1)]
    outputs: tuple[Output, ...]
    classes: tuple[str, ...] = ()
    lineage: Lineage
    libraries: dict[str, str]
    serving: Serving
    files: dict[Name, FileEntry] = Field(default_factory=dict)

    @classmethod
    def of(
        cls, spec: "ModelSpec", *, lineage: Lineage, libraries: dict[str, str], chunk_rows: int | None = None
    ) -> Self:
        """The manifest of a model trained from `spec`, whose graph is fastest by so many rows at once."""
        unit = spec.target.unit
        if spec.task == "classification":
            outputs: tuple[Output, ...] = (Output(name="probabilities"),)
        else:
            outputs = tuple(Output(name=name, unit=unit) for name in ("prediction", "lower", "upper"))
        return cls(
            model=spec.name,
            task=spec.task,
            inputs=spec.features,
            outputs=outputs,
            classes=spec.classes,
            lineage=lineage,
            libraries=libraries,
            serving=spec.serving.model_copy(update={"chunk_rows": spec.serving.chunk_rows or chunk_rows}),
        )


@dataclass(frozen=True)
class Tolerance:
    """An output may differ from the golden one by `absolute` + `relative` * |golden|."""

    absolute: float
    relative: float


@dataclass(frozen=True)
class Golden:
    """At least 16 rows as a caller would send them, and what the graph answered when the bundle was written.

    `outputs` maps each output of the graph to one value a row: a number, or a list of probabilities.
    """

    rows: list[dict[str, Any]]
    outputs: dict[str, list[Any]]
    tolerance: Tolerance

    def to_json(self) -> bytes:
        """golden.json's bytes."""
        return canonical(asdict(self))

    @classmethod
    def from_json(cls, data: bytes) -> "Golden":
        """What golden.json holds.

        Raises:
            NotABundle: not JSON, not of this shape, or fewer than 16 rows.
        """
        try:
            golden = _golden_schema().validate_json(data)
        except ValidationError as err:
            raise NotABundle(f"golden.json: {_first(err)}; train the model again") from err
        if len(golden.rows) < MIN_GOLDEN_ROWS:
            raise NotABundle(f"golden.json: {len(golden.rows)} rows, must be at least {MIN_GOLDEN_ROWS}")
        for name, values in golden.outputs.items():
            if len(values) != len(golden.rows):
                raise NotABundle(f"golden.json: {name} has {len(values)} values for {len(golden.rows)} rows")
        return golden


@cache
def _golden_schema() -> TypeAdapter[Golden]:
    return TypeAdapter(Golden)


def manifest_from_json(data: dict[str, Any]) -> Manifest:
    """What bundle.json holds.

    Raises:
        NotABundle: it does not say what a bundle says.
    """
    try:
        return Manifest.model_validate_json(json.dumps(data))
    except ValidationError as err:
        raise NotABundle(f"bundle.json: {_first(err)}; train the model again") from err


def canonical(value: object) -> bytes:
    """JSON that is the same bytes for the same value: sorted keys, indented for people, a newline at the end.

    Raises:
        ValueError: NaN or an infinity, which JSON cannot say.
    """
    text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()


def background_json(matrix: Any) -> bytes:
    """background.json's bytes: encoded rows, (n <= 100, n_features), with null for NaN."""
    rows: Sequence[Sequence[float]] = matrix.tolist()
    return canonical([[None if value != value else value for value in row] for row in rows])


def _first(err: ValidationError) -> str:
    error = err.errors()[0]
    where = ".".join(map(str, error["loc"])) or "-"
    return f"{where}: {error['msg']}"
