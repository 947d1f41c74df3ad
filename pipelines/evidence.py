"""The evidence of an evaluation as metrics.json holds it, both ways: evaluate writes it, register reads it."""

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from pipelines.errors import ConfigError
from pipelines.gates import Comparison, Decision, Evidence, Gap
from pipelines.jsonfile import number
from pipelines.metrics import Interval


def to_document(evidence: Evidence, decision: Decision) -> dict[str, Any]:
    """Numbers and verdicts; NaN becomes null when it is written."""
    return {
        "task": evidence.task,
        "metrics": {name: asdict(found) for name, found in evidence.metrics.items()},
        "n_held_out": evidence.n_held_out,
        "bundle_bytes": evidence.bundle_bytes,
        "coverage": evidence.coverage,
        "parity": {"max_abs": evidence.max_abs, "label_mismatch": evidence.label_mismatch},
        "champion": None if evidence.champion is None else asdict(evidence.champion),
        "slices": {feature: asdict(gap) for feature, gap in evidence.slices.items()},
        **verdicts(decision),
    }


def verdicts(decision: Decision) -> dict[str, Any]:
    """The part of the document that follows from the gates."""
    gates = [asdict(result) for result in decision.results]
    return {"verdict": str(decision.verdict), "reason": decision.reason(), "gates": gates}


def from_document(document: Mapping[str, Any], *, bundle_bytes: float) -> Evidence:
    """The evidence again, with the size of the bundle as the caller measured it.

    Raises:
        ConfigError: the document lacks a part.
    """
    try:
        champion = document["champion"]
        return Evidence(
            task=document["task"],
            metrics={name: _interval(found) for name, found in document["metrics"].items()},
            n_held_out=document["n_held_out"],
            bundle_bytes=bundle_bytes,
            coverage=None if document["coverage"] is None else number(document["coverage"]),
            max_abs=number(document["parity"]["max_abs"]),
            label_mismatch=number(document["parity"]["label_mismatch"]),
            champion=None if champion is None else _comparison(champion),
            slices={name: _gap(found) for name, found in document["slices"].items()},
        )
    except (KeyError, TypeError) as error:
        raise ConfigError(
            [f"metrics.json: {error}: not as evaluate writes it; run evaluate of the same version"]
        ) from error


def _comparison(found: Mapping[str, Any]) -> Comparison:
    difference = found["difference"]
    return Comparison(
        version=found["version"],
        digest=found["digest"],
        difference=None if difference is None else _interval(difference),
        identical=found["identical"],
        problem=found["problem"],
    )


def _gap(found: Mapping[str, Any]) -> Gap:
    return replace(
        Gap(gap=_interval(found["gap"]), worst="", best="", judged=0),
        **{k: found[k] for k in ("worst", "best", "judged")},
    )


def _interval(found: Mapping[str, Any]) -> Interval:
    return Interval(number(found["value"]), number(found["low"]), number(found["high"]))


def flat_metrics(document: Mapping[str, Any]) -> dict[str, float]:
    """Metrics for a run's charts: each with its interval's ends, the champion's and the difference; NaN left out."""
    flat: dict[str, float] = {}
    for name, found in document["metrics"].items():
        flat.update(
            {name: number(found["value"]), f"{name}_low": number(found["low"]), f"{name}_high": number(found["high"])}
        )
    champion = document["champion"] or {}
    for name, found in champion.get("metrics", {}).items():
        flat[f"champion_{name}"] = number(found["value"])
    if champion.get("difference"):
        flat.update({f"difference_{end}": number(champion["difference"][end]) for end in ("value", "low", "high")})
    flat.update({"n_held_out": number(document["n_held_out"]), "bundle_bytes": number(document["bundle_bytes"])})
    return {name: value for name, value in flat.items() if math.isfinite(value)}
