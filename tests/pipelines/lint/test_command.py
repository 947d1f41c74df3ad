"""`mainline lint` from outside: exit codes, what is read and what is left out."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from models.errors import ConfigError
from pipelines.cli import app
from pipelines.lint.catalogue import RULES

FIXTURES = Path(__file__).parent / "fixtures"


def run(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(app, ["lint", *arguments], input=given)


def test_findings_are_exit_code_1_and_none_is_0() -> None:
    assert run(str(FIXTURES / "ML001-bad.yaml")).exit_code == 1
    clean = run(str(FIXTURES / "ML001-good.yaml"))
    assert (clean.exit_code, clean.output) == (0, "no finding in 1 object in 1 file\n")


@pytest.mark.parametrize(("fail_on", "code"), [("error", 0), ("warning", 1), ("note", 1)])
def test_the_mildest_that_counts_is_chosen(fail_on: str, code: int) -> None:
    assert run(str(FIXTURES / "ML012-bad.yaml"), "--fail-on", fail_on).exit_code == code


def test_a_note_alone_is_no_failure() -> None:
    result = run(str(FIXTURES / "ML028-bad.yaml"))
    assert result.exit_code == 0
    assert "note ML028" in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("/no/such/folder",), "/no/such/folder: no such file or folder"),
        (("--format", "xml"), "must be one of text, json, sarif, github"),
        (("--fail-on", "fatal"), "must be one of error, warning, note"),
        (("--explain", "ML999"), "no rule ML999"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_the_rule(arguments: tuple[str, ...], words: str) -> None:
    error = run(*arguments).exception
    assert isinstance(error, ConfigError)
    assert error.exit_code == 2
    assert words in str(error)


def test_standard_input_is_read() -> None:
    result = run("-", "--format", "json", given=(FIXTURES / "ML001-bad.yaml").read_text(encoding="utf-8"))
    assert [finding["rule"] for finding in json.loads(result.output)["findings"]] == ["ML001"]


def test_folder_is_read_with_what_is_below_and_what_is_none_of_it_left(tmp_path: Path) -> None:
    below = tmp_path / "apps" / "shop"
    below.mkdir(parents=True)
    (below / "template.yml").write_text((FIXTURES / "ML001-bad.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    (below / "chart.yaml").write_text("kind: Rollout\nmetadata:\n  {{- with .Values.x }}\n", encoding="utf-8")
    (below / "config.yaml").write_text("a: 1\n", encoding="utf-8")
    (below / "notes.txt").write_text("kind: Rollout\n", encoding="utf-8")
    (below / "binary.yaml").write_bytes(b"\xff\xfe\x00kind")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "x.yaml").write_text("kind: Rollout\n", encoding="utf-8")
    document = json.loads(run(str(tmp_path), "--format", "json").output)
    assert [finding["file"] for finding in document["findings"]] == [str(below / "template.yml")]
    assert (document["files"], document["objects"]) == (3, 1)
    assert document["templated"] == [f"{below / 'chart.yaml'}:1"]
    assert [each.partition(":")[0] for each in document["unreadable"]] == [str(below / "binary.yaml")]


def test_objects_of_a_list_and_json_are_read() -> None:
    template = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": "x"},
        "spec": {
            "metrics": [{"name": "m", "failureLimit": 1, "provider": {"job": {"spec": {"activeDeadlineSeconds": 1}}}}]
        },
    }
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [template]})
    assert "ML001" in run("-", given=text).output


def test_folder_that_kustomize_builds_is_judged_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "rollout.yaml").write_text(
        (FIXTURES / "ML015-good.yaml").read_text(encoding="utf-8").replace("Name: error-ratio", "Name: other"),
        encoding="utf-8",
    )
    (tmp_path / "kustomization.yaml").write_text("resources:\n  - rollout.yaml\n", encoding="utf-8")
    assert "note ML019" in run(str(tmp_path)).output
    assert "error ML019" in run(str(tmp_path), "--build").output


def test_rules_are_explained_and_listed() -> None:
    one = run("--explain", "ml011")
    assert one.exit_code == 0
    assert one.output.startswith("ML011 asks too early (warning)")
    assert "because <reason>" in one.output
    assert len(run("--explain", "all").output.splitlines()) == len(RULES)
