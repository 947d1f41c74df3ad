"""Any text is read without a crash, and many files in a few seconds."""

import time
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.lint.formats import FORMATS
from pipelines.lint.judge import judge

FIXTURES = Path(__file__).parent / "fixtures"
TEXTS = [path.read_text(encoding="utf-8") for path in sorted(FIXTURES.glob("*.yaml"))]
KEYS = sorted({word.strip(" -:") for text in TEXTS for word in text.split() if word.endswith(":")})
VALUES = sorted({line.partition(": ")[2] for text in TEXTS for line in text.splitlines() if ": " in line})

scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.sampled_from(VALUES))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=40,
)
kinds = st.sampled_from(["Rollout", "AnalysisTemplate", "Experiment", "HorizontalPodAutoscaler", "Service", "List"])


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kind=kinds, spec=values, metadata=values)
def test_any_object_is_judged_without_a_crash(kind: str, spec: object, metadata: object) -> None:
    document = {"kind": kind, "metadata": metadata, "spec": spec, "items": spec}
    report = judge({"x.yaml": yaml.safe_dump(document)})
    for show in FORMATS.values():
        show(report)


@settings(max_examples=60, deadline=None)
@given(text=st.sampled_from(TEXTS), data=st.data())
def test_any_damaged_manifest_is_judged_without_a_crash(text: str, data: st.DataObject) -> None:
    lines = text.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(0, len(lines) - 1))
        change = data.draw(st.sampled_from(["drop", "double", "value", "indent", "cut"]))
        line = lines[index]
        lines[index] = {
            "drop": "",
            "double": f"{line}\n{line}",
            "value": f"{line.partition(':')[0]}: {data.draw(st.sampled_from(VALUES))}",
            "indent": f"  {line}",
            "cut": line[: len(line) // 2],
        }[change]
    judge({"x.yaml": "\n".join(lines)})


@settings(max_examples=50, deadline=None)
@given(text=st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_any_text_is_read_without_a_crash(text: str) -> None:
    judge({"x.yaml": f"kind: Rollout\n{text}"})


def test_document_that_grows_by_its_anchors_is_named() -> None:
    lines = ["kind: Rollout", "a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    begin = time.monotonic()
    report = judge({"x.yaml": "\n".join(lines)})
    assert [each.rule for each in report.findings] == ["ML037"]
    assert time.monotonic() - begin < 5


def test_document_that_holds_itself_is_named() -> None:
    (finding,) = judge({"x.yaml": "kind: Rollout\nspec: &x\n  strategy: *x\n"}).findings
    assert finding.rule == "ML037"


@pytest.mark.slow
def test_a_thousand_files_take_seconds() -> None:
    files = {f"apps/{index:04}/all.yaml": TEXTS[index % len(TEXTS)] for index in range(1000)}
    begin = time.monotonic()
    report = judge(files)
    assert report.files == 1000
    assert time.monotonic() - begin < 10
