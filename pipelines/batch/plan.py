"""Which files there are, and which worker takes which: written once by the first step, read by all the others."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

from pydantic import TypeAdapter, ValidationError

from models.errors import ConfigError
from pipelines.batch.listing import Found
from pipelines.batch.order import Layout
from pipelines.batch.place import Folder, Place, open_place
from pipelines.batch.receipt import output_name
from pipelines.batch.table import ENDINGS
from pipelines.jsonfile import write_json

PLAN = "plan.json"


@dataclass(frozen=True)
class Plan:
    """The files of one batch prediction.

    Attributes:
        source: URI of the folder that the names count from.
        started: RFC 3339; what was predicted later was predicted by this run.
        shards: names of files by worker; no worker is without.
    """

    source: str
    started: str
    shards: tuple[tuple[str, ...], ...]

    @property
    def names(self) -> list[str]:
        """Of all files, in order."""
        return sorted(name for shard in self.shards for name in shard)

    def write(self, folder: Path) -> None:
        """Into the folder, whole or not at all."""
        write_json(folder / PLAN, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> "Plan":
        """The plan in a folder.

        Raises:
            ConfigError: there is none.
        """
        try:
            return TypeAdapter(cls).validate_json((folder / PLAN).read_bytes())
        except (OSError, ValidationError) as err:
            raise ConfigError([f"{folder / PLAN}: cannot be read ({err}); run batch_plan first"]) from err


def make_plan(source: str, output: str, *, shards: int, layout: Layout, started: datetime, scratch: Path) -> Plan:
    """The files at `source`, shared out so that the workers have about the same number of bytes.

    Args:
        source: URI of a folder, with all folders below it, or of one file. Names that begin with `.` or `_` are passed
            over, as are files that are neither .parquet nor .csv.
        output: URI of the folder that predictions go to.
        shards: of how many workers at most.

    Raises:
        ConfigError: there is no file of rows, a folder cannot be looked into, two would become one file of
            predictions, or output and input overlap.
        StoreError: the store does not answer.
    """
    root, only = _root(source, scratch)
    target = open_place(output, scratch).uri
    if (
        f"{target}/".startswith(f"{root.uri}/")
        if not only
        else target == root.uri and output_name(only, layout) == only
    ):
        raise ConfigError(
            [f"output: got {output}, must not lie within the input {source}: it would be input next time"]
        )
    found, problems = _found(root, only)
    if not found and not problems:
        raise ConfigError([f"input: got {source}, holds no {' or '.join(ENDINGS)} file; check the URI"])
    made: dict[str, str] = {}
    for each in sorted(found, key=lambda each: each.name):
        other = made.setdefault(output_name(each.name, layout), each.name)
        if other != each.name:
            problems.append(
                f"input: {other} and {each.name} would both become {output_name(each.name, layout)}; rename one"
            )
    if problems:
        raise ConfigError(problems)
    return Plan(root.uri, started.isoformat(timespec="milliseconds"), _shared_out(found, shards))


def _root(source: str, scratch: Path) -> tuple[Place, str]:
    """The place, and the one file of it that is meant, or nothing for all."""
    place = open_place(source, scratch)
    if source.endswith(ENDINGS):
        parent, _, name = source.rpartition("/")
        above = open_place(f"{parent}/", scratch)
        if isinstance(above, Folder):  # whose URI is percent-encoded; an object's name stands as it is
            name = unquote(name)
        if above.size(name) is not None:  # else a folder of that name, as Spark writes them
            return above, name
    return place, ""


def _found(root: Place, only: str) -> tuple[list[Found], list[str]]:
    """The files of rows, and a line for each folder that could not be looked into."""
    if only:
        return [Found(only, root.size(only) or 0)], []
    shown = [each for each in root.files() if not any(part.startswith((".", "_")) for part in each.name.split("/"))]
    problems = [f"input: {root.uri}/{each.name} {each.problem}" for each in shown if each.problem]
    return [each for each in shown if not each.problem and each.name.endswith(ENDINGS)], problems


def _shared_out(found: Sequence[Found], most: int) -> tuple[tuple[str, ...], ...]:
    """The largest first, each to whoever has the least."""
    shards: list[list[str]] = [[] for _ in range(min(most, len(found)))]
    sizes = [0] * len(shards)
    for each in sorted(found, key=lambda each: (-each.size, each.name)):
        least = sizes.index(min(sizes))
        shards[least].append(each.name)
        sizes[least] += each.size + 1  # a file costs something even when it is empty
    return tuple(tuple(shard) for shard in shards)
