"""The graph in its runtime: answers, self-test, and graphs that are refused."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from models import tree_cells
from models.bundle import MODEL, BundleError, NotABundle, SelfTestFailed, open_bundle, write
from models.findings import Matrix
from models.predictor import Predictor, most_probable
from models.row_order import KEY, LEAST_ROWS
from models.rows import encode


def _with(bundle: Path, name: str, content: bytes) -> Path:
    opened = open_bundle(bundle, None)
    files: dict[str, bytes | Path] = {other: opened.read(other) for other in opened.manifest.files}
    write(bundle, opened.manifest, {**files, name: content})
    return bundle


def test_regression_answers_with_its_interval(bundle: Path, row: dict[str, Any]) -> None:
    predictor = Predictor(open_bundle(bundle, None))
    predictor.self_test()
    outputs = predictor.predict(encode([row, {**row, "area": None}], predictor.bundle.features).matrix)
    assert {name: values.shape for name, values in outputs.items()} == dict.fromkeys(
        ("prediction", "lower", "upper"), (2,)
    )
    expected = 2 * (80.5 + 4 + 1 + 13938)
    answers = predictor.answers(outputs)
    assert answers[0] == {"prediction": expected, "lower": expected - 1, "upper": expected + 1}
    assert answers[1]["prediction"] == expected - 161


def test_classification_answers_with_class_and_probabilities(flower_bundle: Path) -> None:
    predictor = Predictor(open_bundle(flower_bundle, None))
    predictor.self_test()
    (answer,) = predictor.answers(predictor.predict(np.array([[0, 3, 0]], dtype=np.float32)))
    assert answer["prediction"] == "b"
    assert list(answer["probabilities"]) == ["a", "b", "c"]
    assert sum(answer["probabilities"].values()) == pytest.approx(1)


@pytest.mark.parametrize("n_classes", [1, 2, 3])
def test_most_probable_class_is_the_first_of_equals(n_classes: int) -> None:
    levels = np.array([0, 0.25, 0.5, 1], dtype=np.float32)
    probabilities = np.array(list(product(levels, repeat=n_classes)))
    assert most_probable(probabilities).tolist() == [row.index(max(row)) for row in probabilities.tolist()]


def _sorting(bundle: Path, text: str, cells: str | None = None) -> Path:
    model = onnx.load_from_string(open_bundle(bundle, None).read(MODEL))
    onnx.helper.set_model_props(model, {KEY: text} | ({} if cells is None else {tree_cells.KEY: cells}))
    return _with(bundle, MODEL, model.SerializeToString())


def test_many_rows_are_sorted_for_the_graph_and_answered_in_their_own_order(
    bundle: Path, row: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Predictor(open_bundle(bundle, None))
    rows = [{**row, "area": float(20 + number * 37 % 300)} for number in range(LEAST_ROWS + 2)]
    matrix = encode(rows, plain.bundle.features).matrix
    column = [feature.name for feature in plain.bundle.features].index("area")
    expected = plain.predict(matrix)
    sorting = Predictor(open_bundle(_sorting(bundle, f"[[{column}, 150.0]]"), None))
    seen: list[Matrix] = []
    run = sorting._run

    def watched(taken: Matrix) -> Any:
        seen.append(taken)
        return run(taken)

    monkeypatch.setattr(sorting, "_run", watched)
    for n_rows in (LEAST_ROWS - 1, LEAST_ROWS, len(rows)):
        found = sorting.predict(matrix[:n_rows])
        for name, values in expected.items():
            assert np.array_equal(found[name], values[:n_rows]), name
        above = seen.pop()[:, column] > 150
        assert np.array_equal(above, np.sort(above)) == (n_rows >= LEAST_ROWS)


def test_rows_of_the_same_cell_are_answered_once(
    bundle: Path, row: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Predictor(open_bundle(bundle, None))
    rows = [{**row, "area": float(20 + number * 37 % 300)} for number in range(tree_cells.LEAST_ROWS + 100)]
    matrix = encode(rows, plain.bundle.features).matrix
    column = [feature.name for feature in plain.bundle.features].index("area")
    between = [20.5 + number for number in range(299)]
    sharing = Predictor(open_bundle(_sorting(bundle, f"[[{column}, 150.0]]", f"[[{column}, {between}]]"), None))
    seen: list[Matrix] = []
    run = sharing._run

    def watched(taken: Matrix) -> Any:
        seen.append(taken)
        return run(taken)

    monkeypatch.setattr(sharing, "_run", watched)
    expected, found = plain.predict(matrix), sharing.predict(matrix)
    assert len(rows) > len(seen[0]) == len(np.unique(matrix[:, column])) == 300
    assert all(np.array_equal(found[name], values) for name, values in expected.items())


@pytest.mark.parametrize("cells", ["no json", "[[99, [1.0]]]", "[[0, [2.0, 1.0]]]"])
def test_graph_of_cells_that_no_rows_lie_in_is_refused(bundle: Path, cells: str) -> None:
    with pytest.raises(NotABundle, match=tree_cells.KEY):
        Predictor(open_bundle(_sorting(bundle, "[[0, 1.0]]", cells), None))


@pytest.mark.parametrize("text", ["no json", "[[99, 1.0]]"])
def test_graph_that_sorts_by_what_is_not_there_is_refused(bundle: Path, text: str) -> None:
    with pytest.raises(NotABundle, match=KEY):
        Predictor(open_bundle(_sorting(bundle, text), None))


@pytest.mark.parametrize("chunk_rows", [1, 2, 3, 7, 100])
def test_rows_that_run_in_chunks_get_the_same_answers(bundle: Path, row: dict[str, Any], chunk_rows: int) -> None:
    whole = Predictor(open_bundle(bundle, None))
    rows = encode([{**row, "area": float(number)} for number in range(40, 47)], whole.bundle.features).matrix
    manifest = whole.bundle.manifest
    serving = manifest.serving.model_copy(update={"chunk_rows": chunk_rows})
    files: dict[str, bytes | Path] = {name: whole.bundle.read(name) for name in manifest.files}
    write(bundle, manifest.model_copy(update={"serving": serving}), files)
    chunked = Predictor(open_bundle(bundle, None))
    assert chunked.bundle.manifest.serving.chunk_rows == chunk_rows
    expected, found = whole.predict(rows), chunked.predict(rows)
    assert all(np.array_equal(found[name], values) for name, values in expected.items())


def test_bundle_without_chunks_says_nothing_of_them(bundle: Path) -> None:
    assert b"chunk_rows" not in (bundle / "bundle.json").read_bytes()


def test_graph_that_answers_otherwise_fails_its_self_test(bundle: Path, steep_graph: bytes) -> None:
    predictor = Predictor(open_bundle(_with(bundle, "model.onnx", steep_graph), None))
    with pytest.raises(SelfTestFailed, match=r"golden row .* must be .* within"):
        predictor.self_test()


def test_golden_rows_of_other_outputs_fail_the_self_test(bundle: Path) -> None:
    golden = open_bundle(bundle, None).golden
    outputs = {name: values for name, values in golden.outputs.items() if name != "upper"}
    less = type(golden)(rows=golden.rows, outputs=outputs, tolerance=golden.tolerance)
    predictor = Predictor(open_bundle(_with(bundle, "golden.json", less.to_json()), None))
    with pytest.raises(SelfTestFailed, match="the graph answers"):
        predictor.self_test()


def test_graph_that_cannot_be_loaded_is_refused(bundle: Path) -> None:
    opened = open_bundle(_with(bundle, "model.onnx", b"not a graph"), None)
    with pytest.raises(NotABundle, match="cannot be loaded"):
        Predictor(opened)


def test_graph_of_another_model_is_refused(bundle: Path, flower_bundle: Path) -> None:
    opened = open_bundle(_with(bundle, "model.onnx", (flower_bundle / "model.onnx").read_bytes()), None)
    with pytest.raises(BundleError, match="must take"):
        Predictor(opened)
