"""The Markdown that a reviewer of a proposed release reads: numbers with intervals, every gate, where it comes from."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from models.release import Release
from models.verdict import Verdict
from pipelines import lineage
from pipelines.jsonfile import number

_SIGN = {Verdict.PASS: "pass", Verdict.FAIL: "**FAIL**", Verdict.INCONCLUSIVE: "**inconclusive**"}


def title(model: str, version: str, environment: str) -> str:
    """The proposal's one line."""
    return f"{environment}: release {model} version {version}"


def body(
    document: Mapping[str, Any], tags: Mapping[str, str], *, version: str, uri: str, run_id: str, plots: str
) -> str:
    """The report.

    Args:
        document: metrics.json.
        tags: the run's, of `pipelines.lineage`.
        version: the registered version.
        uri: where the bundle lies.
        run_id: MLflow's.
        plots: address of the folder that holds the plots.
    """
    asked = [gate["gate"] for gate in document["gates"] if gate["verdict"] == Verdict.INCONCLUSIVE]
    parts = [f"Trained from commit `{tags[lineage.COMMIT][:12]}`, measured on {document['n_held_out']} held-out rows."]
    if asked:
        parts.append(
            f"**A person is asked to decide:** {', '.join(asked)} could not be decided by the gates. This is a draft."
        )
    parts += ["## Metrics", _metrics(document), "## Gates", _gates(document)]
    parts += ["## Lineage", _lineage(document, tags, version=version, uri=uri, run_id=run_id)]
    parts += [f"![{name}]({plots}/{name})" for name in document["plots"]]
    return "\n\n".join(parts) + "\n"


def changes(before: Release, after: Release, environment: str) -> str:
    """A table of what an environment runs now and what it runs after the merge."""
    rows = [
        ("version", before.version if before.is_released else "none", after.version),
        ("digest", before.digest, after.digest),
        ("commit", before.commit, after.commit),
        ("run", before.run, after.run),
        ("image", before.image, after.image),
        ("attempt", before.attempt, after.attempt),
    ]
    lines = [f"| {name} | `{old}` | `{new}` |{'' if old == new else ' changes |'}" for name, old, new in rows]
    lines = [line if line.endswith("changes |") else f"{line} |" for line in lines]
    return "\n".join([f"| | {environment} now | after the merge | |", "|---|---|---|---|", *lines])


def _metrics(document: Mapping[str, Any]) -> str:
    champion = document["champion"]
    theirs = champion.get("metrics", {}) if champion else {}
    head = f"champion (version {champion['version']})" if champion else "champion"
    rows = [
        (name, _measured(found), _measured(theirs[name]) if name in theirs else "none")
        for name, found in sorted(document["metrics"].items())
    ]
    text = _table(("metric", "candidate", head), rows)
    if not champion:
        return f"{text}\n\nNo champion: nothing is in production yet."
    if champion["difference"]:
        text += f"\n\nDifference in {document['metric']}, same rows, paired: {_measured(champion['difference'])}."
    return text


def _gates(document: Mapping[str, Any]) -> str:
    rows = [(gate["gate"], _SIGN[Verdict(gate["verdict"])], gate["rule"], gate["reason"]) for gate in document["gates"]]
    return _table(("gate", "verdict", "rule", "what was seen"), rows)


def _lineage(document: Mapping[str, Any], tags: Mapping[str, str], *, version: str, uri: str, run_id: str) -> str:
    rows = [
        ("model version", f"{tags[lineage.MODEL]} {version}"),
        ("digest", f"`{document['digest']}`"),
        ("bundle", f"`{uri}`"),
        ("run", f"`{run_id}`"),
        ("workflow", f"`{tags[lineage.WORKFLOW]}`"),
        ("training image", f"`{tags[lineage.IMAGE]}`"),
        ("commit", f"`{tags[lineage.COMMIT]}`"),
        ("data", f"`{tags[lineage.DATA_MD5]}`"),
        ("held-out rows", f"`{document['held_out_fingerprint']}`"),
    ]
    return _table(("what", "value"), rows)


def _measured(found: Mapping[str, Any]) -> str:
    value, low, high = (number(found[end]) for end in ("value", "low", "high"))
    if not math.isfinite(value):
        return "no value"
    return f"{value:.4g} [{low:.4g}, {high:.4g}]"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
