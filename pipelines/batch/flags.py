"""The flags that say what is ordered; `batch_predict` and `batch_summary` have the same."""

import argparse

from models.bundle import Digest
from pipelines.batch.order import Layout, Order, Refusal
from pipelines.steps import entry


def add_order(arguments: argparse.ArgumentParser) -> None:
    """Adds them."""
    entry.flags(arguments, "--output", "--model", "--version", "--bundle", "--digest")
    arguments.add_argument("--keep", default="", help="columns that go along, between commas; * for all")
    arguments.add_argument("--layout", default=Layout.PARQUET, type=Layout, help="parquet or csv")
    arguments.add_argument("--refused", default=Refusal.FAIL, type=Refusal, help="fail or set-aside")


def order_of(given: argparse.Namespace) -> Order:
    """What they say."""
    return Order(
        model=given.model,
        version=given.version,
        bundle=given.bundle,
        digest=Digest(given.digest),
        keep=tuple(name for name in given.keep.split(",") if name),
        layout=given.layout,
        refusal=given.refused,
    )
