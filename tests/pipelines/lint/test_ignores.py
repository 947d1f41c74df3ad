"""Who answers for a finding, where, and with a reason."""

from pathlib import Path

import pytest

from pipelines.lint.judge import judge

FIXTURES = Path(__file__).parent / "fixtures"
BAD = (FIXTURES / "ML001-bad.yaml").read_text(encoding="utf-8")
BECAUSE = "# mainline-lint: ignore ML001 because it is only there to be watched"


def rules(text: str) -> list[str]:
    return [finding.rule for finding in judge({"x.yaml": text}).findings]


PLACES = {
    "behind the value": BAD.replace("failureLimit: 4", f"failureLimit: 4 {BECAUSE}"),
    "before the line": BAD.replace("      failureLimit: 4", f"      {BECAUSE}\n      failureLimit: 4"),
    "before the metric": BAD.replace("    - name: error-ratio", f"    {BECAUSE}\n    - name: error-ratio"),
    "behind the metric's name": BAD.replace("    - name: error-ratio", f"    - name: error-ratio {BECAUSE}"),
    "before the metrics": BAD.replace("  metrics:", f"  {BECAUSE}\n  metrics:"),
    "before the document": f"{BECAUSE}\n{BAD}",
    "as an annotation": BAD.replace(
        "  name: error-ratio\nspec",
        "  name: error-ratio\n  annotations:\n    mainline.dev/lint-ignore: ML001 because it is only watched\nspec",
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_ignore_with_a_reason_is_followed(place: str) -> None:
    assert rules(PLACES[place]) == []


def test_ignore_covers_what_is_nested_and_nothing_beside_it() -> None:
    metric = BAD[BAD.index("    - name: error-ratio") :]
    two = BAD.replace("    - name: error-ratio", f"    {BECAUSE}\n    - name: error-ratio") + metric.replace(
        "name: error-ratio", "name: other"
    )
    assert rules(two) == ["ML001"]


def test_ignore_of_a_list_at_the_same_indent_covers_its_items() -> None:
    flat = BAD.replace("  metrics:\n", f"  {BECAUSE}\n  metrics:\n").replace("\n    ", "\n  ")
    assert rules(flat) == []


def test_ignore_before_one_document_leaves_the_next() -> None:
    assert rules(f"{BECAUSE}\n{BAD}---\n{BAD}") == ["ML001"]


def test_ignore_without_reason_is_a_finding_and_is_not_followed() -> None:
    assert sorted(rules(f"# mainline-lint: ignore ML001\n{BAD}")) == ["ML001", "ML090"]


def test_ignore_that_names_no_rule_is_a_finding() -> None:
    assert sorted(rules(f"# mainline-lint: ignore all because I say so\n{BAD}")) == ["ML001", "ML090"]


def test_ignore_without_use_is_a_finding() -> None:
    assert rules(f"{BECAUSE}\n{BAD.replace('failureLimit: 4', 'failureLimit: 0')}") == ["ML091"]


def test_ignore_of_two_rules_is_needless_for_the_one_that_is_not_there() -> None:
    assert rules(f"# mainline-lint: ignore ML001, ML002 because it is only watched\n{BAD}") == ["ML091"]
