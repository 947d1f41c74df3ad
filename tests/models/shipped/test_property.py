"""property: both data versions train, the interval covers, rows of the first stay on their side in the second."""

import re
from pathlib import Path

import numpy as np
import pytest

from models.spec import load_spec
from models.verdict import Verdict
from pipelines.split import held_out_mask
from pipelines.table import read_raw
from tests.models.shipped.conftest import ROOT, Try, data_version

CARD = (ROOT / "models" / "property" / "MODEL_CARD.md").read_text()
FIRST, SECOND = re.findall(r"md5: ([0-9a-f]{32}\.dir)", CARD)


def test_card_names_the_committed_version_first() -> None:
    assert FIRST in (ROOT / "data.dvc").read_text()


@pytest.mark.slow
def test_declared_property_opens_every_gate(attempt: Try) -> None:
    trial = attempt("property")
    assert trial.report.verdict is Verdict.PASS, trial.report.reason()
    assert trial.closed == set()
    assert 20 <= len(trial.spec.features) <= 30


@pytest.mark.slow
def test_later_sales_open_every_gate_too(attempt: Try) -> None:
    trial = attempt("property", version=SECOND)
    assert trial.report.verdict is Verdict.PASS, trial.report.reason()
    assert trial.closed == set()


@pytest.mark.slow
def test_property_with_shuffled_prices_is_stopped(attempt: Try) -> None:
    trial = attempt("property", shuffled=True)
    assert any("rmse" in gate for gate in trial.closed)


def test_later_sales_move_no_earlier_sale(tmp_path: Path) -> None:
    spec = load_spec(ROOT / "models" / "property")
    first, second = (
        read_raw(data_version(tmp_path / version, version) / spec.data.file, spec) for version in (FIRST, SECOND)
    )
    assert first["sold"].max() < "2009" <= second["sold"].max()
    held_out = set(first["parcel"][held_out_mask(first, spec.data.key, spec.data.held_out)])
    again = second[np.isin(second["parcel"], first["parcel"])]
    assert held_out == set(again["parcel"][held_out_mask(again, spec.data.key, spec.data.held_out)])
