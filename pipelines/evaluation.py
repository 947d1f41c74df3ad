"""Measures a bundle on the rows that its training held out, beside the champion on the same rows.

It sees only what a server would: the bundle, its predictor, and rows. The champion is the version that the commit's own
tree says is in production.
"""

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.bundle import Bundle, Digest, open_bundle
from models.gates_spec import Gates
from models.predictor import Predictor
from models.release import Release, read_release, release_path
from models.rows import RowsRefused, encode_columns
from models.spec import load_gates, load_spec
from models.store import fetch
from pipelines.errors import WrongBundle
from pipelines.evidence import to_document
from pipelines.gates import Comparison, Evidence, decide
from pipelines.jsonfile import number, read_json, write_json
from pipelines.metrics import Interval, Outputs, bootstrap, measure, metrics_of, take
from pipelines.plots import write_plots
from pipelines.slices import slice_gaps
from pipelines.split import held_out_mask
from pipelines.table import Table, columns, read_table

_SEED = 20240501  # any fixed number: the same rows give the same intervals again


@dataclass(frozen=True)
class _Champion:
    """The release in production, and its outputs on the held-out rows; None with the reason where it has none."""

    release: Release
    outputs: Outputs | None
    problem: str


def evaluate(source: Path, data: Path, model: str, *, bundle: Path, training: Path, out: Path) -> dict[str, Any]:
    """Writes `out/metrics.json` and plots; returns the same document.

    Raises:
        WrongBundle: the bundle is another model's.
        RowsRefused: the data are not as the spec says; validation comes first.
    """
    folder = source / "models" / model
    spec, gates = load_spec(folder), load_gates(folder)
    candidate = open_bundle(bundle, None)
    if candidate.manifest.model != model:
        raise WrongBundle(
            f"{bundle}: got a bundle of {candidate.manifest.model}, must be of {model}; check the workflow"
        )
    table = read_table(data / spec.data.file, spec)
    held_out = held_out_mask(table.raw, spec.data.key or spec.feature_names, spec.data.held_out)
    target, outputs = table.target[held_out], Predictor(candidate).predict(table.matrix[held_out])
    champion = _champion(source, table, held_out)
    measured, champion_metrics, difference = _measure(table, target, outputs, champion, gates)
    parity = read_json(training / "training.json")["parity"]
    evidence = Evidence(
        task=spec.task,
        metrics=measured,
        n_held_out=len(target),
        bundle_bytes=float(folder_bytes(bundle)),
        coverage=spec.interval.coverage if spec.interval else None,
        max_abs=number(parity["max_abs"]),
        label_mismatch=number(parity["label_mismatch"]),
        champion=None if champion is None else _comparison(champion, outputs, difference),
        slices=slice_gaps(table, held_out, outputs, gates.offline, rng=np.random.default_rng(_SEED)),
    )
    document = to_document(evidence, decide(evidence, gates.offline))
    if champion is not None:
        document["champion"]["metrics"] = {name: asdict(found) for name, found in champion_metrics.items()}
    metric = gates.offline.metric
    compared = {"candidate": asdict(measured[metric])}
    if metric in champion_metrics:
        compared["champion"] = asdict(champion_metrics[metric])
    plots = write_plots(out, spec, target, outputs, metric=metric, metrics=compared)
    document |= {
        "model": model,
        "digest": candidate.digest,
        "metric": metric,
        "held_out_fingerprint": fingerprint(table.matrix[held_out], target),
        "plots": plots,
    }
    write_json(out / "metrics.json", document)
    return document


def folder_bytes(bundle: Path) -> int:
    """Size of all of a bundle's files."""
    return sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())


def fingerprint(matrix: npt.NDArray[np.float32], target: npt.NDArray[np.generic]) -> str:
    """sha256 of held-out rows and targets: equal where two evaluations judged by the same rows."""
    return hashlib.sha256(np.ascontiguousarray(matrix).tobytes() + np.ascontiguousarray(target).tobytes()).hexdigest()


def _champion(source: Path, table: Table, held_out: npt.NDArray[np.bool_]) -> _Champion | None:
    release = read_release(source / release_path("production", table.spec.name))
    if not release.is_released:
        return None
    with tempfile.TemporaryDirectory(prefix="champion-") as scratch:
        bundle = fetch(release.uri, Path(scratch) / "bundle", Digest(release.digest))
        outputs, problem = _champion_outputs(bundle, table, held_out)
    return _Champion(release, outputs, problem)


def _champion_outputs(bundle: Bundle, table: Table, held_out: npt.NDArray[np.bool_]) -> tuple[Outputs | None, str]:
    """The champion reads the same raw rows by its own features, which may be others than the candidate's."""
    if (bundle.manifest.task, set(bundle.manifest.classes)) != (table.spec.task, set(table.spec.classes)):
        return None, "the champion's task or classes are others: it cannot be measured on these rows"
    names = tuple(feature.name for feature in bundle.features)
    absent = [name for name in names if name not in table.raw]
    if absent:
        return None, f"the champion needs columns that the data no longer have: {', '.join(absent)}"
    try:
        encoded = encode_columns(columns(table.raw[held_out], names), bundle.features)
    except RowsRefused as refused:
        return None, f"the champion refuses some held-out rows: {refused.problems[0]}"
    outputs = Predictor(bundle).predict(encoded.matrix)
    if table.spec.classes:
        order = [list(bundle.manifest.classes).index(name) for name in table.spec.classes]
        outputs = {"probabilities": outputs["probabilities"][:, order]}
    return outputs, ""


def _measure(
    table: Table, target: npt.NDArray[np.generic], outputs: Outputs, champion: _Champion | None, gates: Gates
) -> tuple[dict[str, Interval], dict[str, Interval], Interval | None]:
    """The candidate's metrics, the champion's, and the difference in the gates' metric, over the same resamples."""
    metrics = metrics_of(table.spec.task, has_interval=table.spec.interval is not None)
    gate = gates.offline.champion
    champion_outputs = champion.outputs if champion is not None else None

    def statistics(rows: npt.NDArray[np.int64]) -> Mapping[str, float]:
        mine = measure(metrics, target[rows], take(outputs, rows))
        if champion_outputs is None:
            return mine
        theirs = measure(metrics, target[rows], take(champion_outputs, rows))
        difference = mine[gates.offline.metric] - theirs[gates.offline.metric]
        return {**mine, **{f"champion.{name}": value for name, value in theirs.items()}, "difference": difference}

    rng = np.random.default_rng(_SEED)
    found = bootstrap(statistics, len(target), confidence=gate.confidence, resamples=gate.resamples, rng=rng)
    theirs = {name.removeprefix("champion."): value for name, value in found.items() if name.startswith("champion.")}
    return {name: found[name] for name in metrics}, theirs, found.get("difference")


def _comparison(champion: _Champion, outputs: Outputs, difference: Interval | None) -> Comparison:
    theirs = champion.outputs
    identical = theirs is not None and all(
        np.array_equal(outputs[name], theirs[name], equal_nan=True) for name in outputs
    )
    return Comparison(
        version=champion.release.version,
        digest=champion.release.digest,
        difference=difference,
        identical=identical,
        problem=champion.problem,
    )
