"""Takes a gate out of a rollout: each reference to its AnalysisTemplate, and what is then empty."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

_ANALYSES = ("analysis", "prePromotionAnalysis", "postPromotionAnalysis")


def without(node: Any, template: str) -> Any:
    """A Rollout, or any part of one, in which no analysis names the template."""
    if isinstance(node, Mapping):
        found = {key: without(value, template) for key, value in node.items()}
        for key in _ANALYSES:
            analysis = found.get(key)
            if isinstance(analysis, dict) and isinstance(analysis.get("templates"), list):
                analysis["templates"] = [each for each in analysis["templates"] if each["templateName"] != template]
                if not analysis["templates"]:
                    del found[key]
        return found
    if isinstance(node, list):
        kept = [(value, without(value, template)) for value in node]
        return [after for before, after in kept if after or not before]
    return node


def without_minimums(node: Any) -> None:
    """Has each gate decide on the first sample that it gets; the step that waits for samples keeps its own."""
    if isinstance(node, dict):
        if re.fullmatch(r"(?!samples-).*-min-(requests|rows|distinct-rows)", str(node.get("name"))):
            node["value"] = "1"
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            without_minimums(each)


def remove_from_strategies(root: Path, template: str) -> int:
    """Takes a gate out of a repository's strategies; how many files that changed."""
    changed = 0
    for path in sorted((root / "kustomize" / "components").glob("*/*.yaml")):
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
        after = [without(document, template) for document in documents]
        if after != documents:
            path.write_text(yaml.safe_dump_all(after, sort_keys=False), encoding="utf-8")
            changed += 1
    return changed
