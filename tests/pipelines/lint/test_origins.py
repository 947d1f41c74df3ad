"""A finding on a built overlay points at the file that a person edits."""

import shutil
from pathlib import Path

from pipelines.lint.command import lint
from pipelines.lint.finding import Finding, Severity
from pipelines.lint.origins import Origins
from pipelines.tools import ROOT

SOURCE = """\
# How many may fail.
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata:
  labels:
    a: b
  name: errors
spec:
  metrics:
    - name: first
      failureLimit: 0
    - name: second
      # a reason
      failureLimit: 4
"""
BUILT = SOURCE.replace("# How many may fail.\n", "").replace("      # a reason\n", "").replace("    - ", "  - ")


def finding(subject: str, line: int) -> Finding:
    return Finding(
        file="overlay", line=line, rule="ML001", severity=Severity.ERROR, subject=subject, message="m", remedy="r"
    )


def traced(subject: str, line: int) -> tuple[str, int]:
    (found,) = Origins({"a/other.yaml": "kind: X\n", "a/errors.yaml": SOURCE}).traced(
        [finding(subject, line)], BUILT, "overlays/x"
    )
    return found.file, found.line


def test_line_is_the_one_of_the_same_text_in_the_metric() -> None:
    line = BUILT.splitlines().index("      failureLimit: 4") + 1
    assert traced("AnalysisTemplate/errors metric second", line) == ("a/errors.yaml", 14)


def test_value_that_a_component_filled_is_found_by_its_key() -> None:
    changed = BUILT.splitlines().index("      failureLimit: 0") + 1
    assert traced("AnalysisTemplate/errors metric second", changed) == ("a/errors.yaml", 14)


def test_object_that_no_file_holds_is_the_overlay_s() -> None:
    assert traced("AnalysisTemplate/absent metric second", 3) == ("overlays/x/kustomization.yaml", 1)


def test_overlays_of_a_checkout_name_the_manifest_once(tmp_path: Path) -> None:
    overlay = tmp_path / "kustomize" / "overlays"
    for environment in ("staging", "production"):
        (overlay / environment / "shop").mkdir(parents=True)
        (overlay / environment / "shop" / "kustomization.yaml").write_text(
            "resources:\n  - ../../../../manifests\n", encoding="utf-8"
        )
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "kustomization.yaml").write_text("resources:\n  - template.yaml\n", encoding="utf-8")
    fixture = Path(__file__).parent / "fixtures" / "ML001-bad.yaml"
    (tmp_path / "manifests" / "template.yaml").write_text(fixture.read_text(encoding="utf-8"), encoding="utf-8")
    shutil.copy(ROOT / "versions.env", tmp_path)
    (found,) = lint(tmp_path, []).findings
    assert (found.file, found.rule) == ("manifests/template.yaml", "ML001")
    assert "failureLimit: 4" in fixture.read_text(encoding="utf-8").splitlines()[found.line - 1]
