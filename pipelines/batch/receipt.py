"""The proof that a file was predicted: which bytes, by which bundle, into which bytes. Written last, so that a kill at
any instant leaves either everything or a file that is predicted again.
"""

from dataclasses import asdict, dataclass

from pydantic import TypeAdapter, ValidationError

from models.manifest import canonical
from pipelines.batch.order import Layout, Order, Refusal
from pipelines.batch.place import Place

# Raised when the same rows and bundle would give other files: what older code made is then made again.
FORMAT = 1


@dataclass(frozen=True)
class Receipt:
    """One file of rows that was predicted.

    Attributes:
        input: its name; `output` and `refused` are names below the output's place, `refused` empty where no row was.
        keep: as it was ordered.
        rows: of the input; `refused_rows` of them have no prediction.
        warnings: values that the model was not trained for and that its declaration lets pass.
        seconds: from the first byte read to the last one written.
        finished: RFC 3339.
    """

    format: int
    model: str
    version: str
    digest: str
    input: str
    input_sha256: str
    input_bytes: int
    keep: tuple[str, ...]
    output: str
    output_sha256: str
    output_bytes: int
    refused: str
    refused_sha256: str
    rows: int
    refused_rows: int
    warnings: int
    seconds: float
    finished: str

    @property
    def rows_per_second(self) -> float:
        """Of this file alone."""
        return self.rows / self.seconds if self.seconds else 0.0


def output_name(name: str, layout: Layout) -> str:
    """Where the predictions of the file `name` lie: the same name, with the ending of how they are written."""
    return f"{name.rpartition('.')[0]}.{layout}"


def refused_name(name: str) -> str:
    """Where its refused rows lie. Readers of a folder of tables pass over names that begin with `_`."""
    return f"_refused/{name}.refused.jsonl"


def receipt_name(name: str) -> str:
    """Where its receipt lies."""
    return f"_done/{name}.json"


def write_receipt(output: Place, receipt: Receipt) -> None:
    """Writes it in place of a former one."""
    with output.writing(receipt_name(receipt.input)) as path:
        path.write_bytes(canonical(asdict(receipt)))


def last_receipt(output: Place, name: str) -> Receipt | None:
    """The receipt of a file, whatever was ordered; None where there is none."""
    data = output.read(receipt_name(name))
    if data is None:
        return None
    try:
        return TypeAdapter(Receipt).validate_json(data)
    except ValidationError:  # not ours, or of other code
        return None


def receipt_of(output: Place, name: str, order: Order) -> Receipt | None:
    """The receipt of a file if it is for this order, whatever bytes the file then had; None where there is none."""
    found = last_receipt(output, name)
    if found is None:
        return None
    told = (found.format, found.digest, found.version, found.keep, found.output)
    wanted = (FORMAT, order.digest, order.version, order.keep, output_name(name, order.layout))
    strict = order.refusal is Refusal.FAIL
    return found if told == wanted and not (strict and found.refused_rows) else None


def done(output: Place, name: str, sha256: str, order: Order) -> Receipt | None:
    """The receipt of a file of these bytes, if what it tells of is there, every byte; None where it must be made."""
    found = receipt_of(output, name, order)
    if found is None or found.input_sha256 != sha256 or output.sha256(found.output) != found.output_sha256:
        return None
    whole = not found.refused or output.sha256(found.refused) == found.refused_sha256
    return found if whole else None
