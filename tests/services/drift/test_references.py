"""Bundles that a capture log names: only from the configured stores, verified, a few kept."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from models.bundle import BundleError
from models.errors import MainlineError
from services.drift.references import NotAllowed, References
from tests.specimens.making import KEPT, made

BUNDLE = made("iris-stable")


def _references(tmp_path: Path, store: str = KEPT.as_uri()) -> References:
    return References((store,), tmp_path / "cache")


def _get(references: References, **named: str) -> object:
    return references.get(**({"model": "iris", "uri": BUNDLE.folder.as_uri(), "digest": str(BUNDLE.digest)} | named))


def test_tables_and_graph_are_the_bundles(tmp_path: Path) -> None:
    found = _references(tmp_path).get(model="iris", uri=BUNDLE.folder.as_uri(), digest=str(BUNDLE.digest))
    rows, answers = found.held_out
    np.testing.assert_allclose(found.answers(rows.matrix).values, answers.values, atol=1e-5)
    assert answers.names[-1] == "confidence"
    assert len(found.trained_on) > len(rows) > 20


def test_a_bundle_is_loaded_once(tmp_path: Path) -> None:
    references = _references(tmp_path)
    assert _get(references) is _get(references)


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc",
        "s3://elsewhere/x",
        KEPT.as_uri() + "/../../x",
        KEPT.as_uri() + "/%2e%2e/x",
        KEPT.as_uri() + "x/y",
        "",
    ],
)
def test_an_address_outside_the_stores_is_refused(tmp_path: Path, uri: str) -> None:
    with pytest.raises(NotAllowed, match="outside of the stores"):
        _get(_references(tmp_path), uri=uri)


def test_no_store_allows_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotAllowed):
        _get(References((), tmp_path))


def test_another_digest_another_model_and_no_bundle_are_refused(tmp_path: Path) -> None:
    references = _references(tmp_path)
    with pytest.raises(BundleError, match="digest"):
        _get(references, digest="sha256:" + "0" * 64)
    with pytest.raises(BundleError, match="the capture log says 'diabetes'"):
        _get(references, model="diabetes")
    with pytest.raises(MainlineError):
        _get(references, uri=KEPT.as_uri() + "/nowhere", digest="sha256:" + "1" * 64)


def test_a_tampered_bundle_is_refused(tmp_path: Path) -> None:
    shutil.copytree(BUNDLE.folder, tmp_path / "store" / "bundle")
    with (tmp_path / "store" / "bundle" / "held_out.parquet").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match="held_out"):
        _get(_references(tmp_path, (tmp_path / "store").as_uri()), uri=(tmp_path / "store" / "bundle").as_uri())
