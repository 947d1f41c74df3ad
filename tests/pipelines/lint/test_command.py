"""`mainline lint` from outside: exit codes, what is read and what is left out."""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from models.errors import ConfigError
from pipelines.cli import app
from pipelines.lint.catalogue import RULES
from pipelines.lint.command import lint

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
    one = run("--explain", "ML011")
    assert one.exit_code == 0
    assert one.output.startswith("ML011 asks too early (warning)")
    assert "because <reason>" in one.output
    assert len(run("--explain", "all").output.splitlines()) == len(RULES)


@pytest.mark.parametrize("number", ["ml1", "ML1", "ml001", "1", "001", "Ml01"])
def test_rule_is_found_by_its_number_however_it_is_written(number: str) -> None:
    assert run("--explain", number).output.startswith("ML001 ")


def refused(*arguments: str, given: str | None = None) -> str:
    error = run(*arguments, given=given).exception
    assert isinstance(error, ConfigError)
    assert error.exit_code == 2
    return str(error)


def test_path_without_anything_to_judge_is_refused(tmp_path: Path) -> None:
    empty, service = tmp_path / "empty", tmp_path / "service.yaml"
    empty.mkdir()
    service.write_text("kind: Service\nmetadata: {name: x}\n", encoding="utf-8")
    good = str(FIXTURES / "ML001-good.yaml")
    assert "no Rollout, Experiment, AnalysisTemplate or ClusterAnalysisTemplate here" in refused(str(empty))
    assert f"{empty}: no Rollout" in refused(good, str(empty))
    assert "nothing was judged" in refused(str(service))
    assert "-: no Rollout" in refused("-", given="")
    assert run(good, str(service)).exit_code == 0


def test_overlay_without_anything_to_judge_is_refused(tmp_path: Path) -> None:
    (tmp_path / "service.yaml").write_text("apiVersion: v1\nkind: Service\nmetadata: {name: x}\n", encoding="utf-8")
    (tmp_path / "kustomization.yaml").write_text("resources: [service.yaml]\n", encoding="utf-8")
    assert "nothing was judged" in refused(str(tmp_path), "--build")


def test_checkout_without_overlays_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no overlay under kustomize/overlays"):
        lint(tmp_path, [])


def test_path_with_templates_of_an_engine_alone_says_to_fill_them(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("kind: Rollout\nmetadata: {name: {{ .Values.name }}}\n", encoding="utf-8")
    assert "1 left out that an engine has to fill first" in refused(str(tmp_path))


def test_broken_document_that_names_a_gate_is_an_error_at_its_kind(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("a: 1\n---\nkind: AnalysisTemplate\nspec: [\n", encoding="utf-8")
    (tmp_path / "y.json").write_text('{"items": [{"kind": "Rollout", }', encoding="utf-8")
    result = run(str(tmp_path))
    assert result.exit_code == 1
    assert f"{tmp_path / 'x.yaml'}:3: error ML037 not read" in result.output
    assert f"{tmp_path / 'y.json'}:1: error ML037 not read" in result.output


def test_pipes_are_left_and_refused_when_they_are_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "good.yaml").write_text((FIXTURES / "ML001-good.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    assert run(str(tmp_path)).output == "no finding in 1 object in 1 file\n"
    assert "neither a file nor a folder" in refused(str(tmp_path / "pipe.yaml"))
    assert "neither a file nor a folder" in refused("/dev/null")


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder with a good file, a file and a folder that nobody but root may read; the test is not root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        good = (FIXTURES / "ML001-good.yaml").read_text(encoding="utf-8")
        (folder / "good.yaml").write_text(good, encoding="utf-8")
        (folder / "file.yaml").write_text(good, encoding="utf-8")
        (folder / "below").mkdir()
        for each in ("file.yaml", "below"):
            (folder / each).chmod(0)
        was = os.geteuid()
        if was == 0:
            os.seteuid(65534)
        yield folder
        if was == 0:
            os.seteuid(0)
        (folder / "below").chmod(0o755)


def test_what_may_not_be_read_is_named(closed: Path) -> None:
    result = run(str(closed))
    assert result.exit_code == 1
    for name in ("below", "file.yaml"):
        assert f"{closed / name}:1: error ML037 not read: Permission denied" in result.output
    assert "2 errors in 1 object in 1 file" in result.output
    assert "cannot be read: Permission denied" in refused(str(closed / "below" / "x.yaml"))
