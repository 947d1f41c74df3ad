"""Whose each file of predictions is: written before the file, so that nothing else is ever written over.

A receipt comes last, and after a kill there may be none: a claim then tells what may be made again.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from pydantic import TypeAdapter, ValidationError

from models.manifest import canonical
from pipelines.batch.order import FileRefused
from pipelines.batch.place import Place
from pipelines.batch.receipt import last_receipt

_CLAIMS = "_claims"


@dataclass(frozen=True)
class Claim:
    """The file of rows that a file of predictions is of.

    Attributes:
        source: URI of the folder that its name counts from.
        input: its name there.
    """

    source: str
    input: str


def claim_name(made: str) -> str:
    """Where the claim of the file of predictions `made` lies."""
    return f"{_CLAIMS}/{made}.json"


def claim_of(output: Place, made: str) -> Claim | None:
    """Whose the file `made` is; None where nobody said so."""
    data = output.read(claim_name(made))
    if data is None:
        return None
    try:
        return TypeAdapter(Claim).validate_json(data)
    except ValidationError:  # not ours
        return None


def refuse_foreign(source: Place, output: Place, made: str, mine: Claim) -> None:
    """Nothing, where the predictions `made` of a file may be written, over former ones of the same file or not.

    Raises:
        FileRefused: what is there is not a batch prediction's, or is of another file that is still there.
    """
    former = last_receipt(output, mine.input)
    for name in dict.fromkeys([made, *([former.output] if former else [])]):
        found = claim_of(output, name)
        if output.size(name) is None or found == mine:
            continue
        if found is None:
            whose = "is there and is no batch prediction's"
        elif found.source == mine.source and source.size(found.input) is None:
            continue  # its input went, as when a CSV is written again as Parquet
        else:
            whose = f"holds predictions of {found.input} of {found.source}"
        where = f"{output.uri}/{name}"
        raise FileRefused(f"{mine.input}: {where} {whose}; give another output, or move that file away")


def claim(output: Place, made: str, mine: Claim) -> None:
    """Says that the file `made` is of this file of rows."""
    if claim_of(output, made) != mine:
        with output.turn(claim_name(made)), output.writing(claim_name(made)) as path:
            path.write_bytes(canonical(asdict(mine)))


def remove_superseded(output: Place, made: str, mine: Claim) -> None:
    """Removes the predictions of the same rows under another name than `made`, as another layout has it."""
    former = last_receipt(output, mine.input)
    if former is not None and former.output != made and claim_of(output, former.output) == mine:
        output.remove(former.output)
        output.remove(claim_name(former.output))


def left_over(source: Place, output: Place, planned: Mapping[str, str]) -> list[str]:
    """Files of predictions of rows that are gone from this source, or that are now predicted under another name.

    Args:
        planned: files of predictions by the files of rows that are there.
    """
    found, current = [], set(planned.values())
    for each in output.files(_CLAIMS):
        made = each.name.removeprefix(f"{_CLAIMS}/").removesuffix(".json")
        whose = None if made in current else claim_of(output, made)
        if whose is None or whose.source != source.uri or output.size(made) is None:
            continue
        if whose.input in planned or source.size(whose.input) is None:
            found.append(made)
    return sorted(found)
