"""A small bundle, rows for it, and the place that predictions go to."""

import random
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from models.bundle import Digest, digest
from models.spec import ModelSpec
from pipelines.batch.order import Layout, Order, Refusal
from pipelines.batch.place import Folder
from pipelines.batch.predict import load
from pipelines.batch.receipt import Receipt
from tests.models.conftest import HOUSE, ROW, bundle, flower, flower_bundle, spec

__all__ = ["bundle", "flower", "flower_bundle", "spec"]  # fixtures


def house_rows(n: int, seed: int = 1) -> pd.DataFrame:
    """Rows that the house takes, with an `id` that only a text can hold."""
    chance = random.Random(seed)  # noqa: S311  (rows, no secrets)
    return pd.DataFrame(
        {
            "id": f"{index:05d}",
            "area": None if chance.random() < 0.1 else round(chance.uniform(10, 900), 3),
            "rooms": chance.randint(1, 20),
            "street": chance.choice(["Grvl", "Pave", None]),
            "sold": f"20{chance.randint(6, 10):02d}-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}",
        }
        for index in range(n)
    )


def write(table: pd.DataFrame, path: Path) -> Path:
    """The table as a file of the path's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(path, index=False) if path.suffix == ".parquet" else table.to_csv(path, index=False)
    return path


class Bench:
    """An input, an output and a bundle, and the files of one predicted into the other."""

    def __init__(self, folder: Path, bundle: Path, scratch: Path) -> None:
        self.source, self.output = Folder(folder / "in"), Folder(folder / "out")
        self.bundle, self.scratch = bundle, scratch
        self.source.path.mkdir(parents=True)

    def order(self, **changes: Any) -> Order:
        """An order of the bundle, set-aside unless told otherwise."""
        given: dict[str, Any] = {"model": "house", "keep": ("id",), "refusal": Refusal.SET_ASIDE} | changes
        return Order(version="3", bundle=self.bundle.as_uri(), digest=Digest(digest(self.bundle)), **given)

    def put(self, name: str, table: pd.DataFrame) -> Path:
        """A file of the input."""
        return write(table, self.source.path / name)

    def predict(self, name: str, **changes: Any) -> tuple[Receipt, bool]:
        """The receipt of a file, and whether it was made now."""
        from pipelines.batch.predict import predict_file

        order = self.order(**changes)
        predictor = load(order, self.scratch)
        return predict_file(self.source, name, self.output, order=order, predictor=predictor)

    def made(self, name: str) -> pd.DataFrame:
        """A file of predictions."""
        path = self.output.path / name
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype={"id": str})

    def files(self) -> set[str]:
        """Names of everything in the output."""
        return {found.name for found in self.output.files()}


@pytest.fixture
def bench(tmp_path: Path, bundle: Path) -> Bench:
    return Bench(tmp_path / "bench", bundle, tmp_path / "scratch")


__all__ += ["HOUSE", "ROW", "Bench", "Layout", "ModelSpec"]
