"""A second model in the pods of a first: one more file and two lines of the overlay, and nothing else changes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models.errors import ConfigError, GateClosed
from models.release import Release, beside_name, beside_path, read_release, release_path, render_release, unreleased
from pipelines.beside import main, put_beside
from pipelines.build import build_overlay, objects, pod, refuse_on_cluster
from pipelines.lint.judge import judge
from pipelines.overlays import kustomize_files
from pipelines.tools import ROOT
from services.serving.beside import ByField, Pin
from services.serving.settings import read

ReleaseOf = Callable[..., Release]
ROUTE = """\
patches:
  - target:
      kind: Rollout
      name: serving
    patch: |-
      - op: add
        path: /spec/template/spec/containers/0/env/-
        value:
          name: MAINLINE_ROUTE
          value: '{"kind": {"house": "property", "flower": "iris"}}'
"""


def choose(root: Path, main: str, *models: str, more: str = "") -> None:
    """Edits production's overlay of `main` as a person would."""
    overlay = root / f"kustomize/overlays/production/{main}/kustomization.yaml"
    text = overlay.read_text(encoding="utf-8").rstrip("\n")
    for model in models:
        text = text.replace("  - release.yaml\n", f"  - release.yaml\n  - {beside_name(model)}.yaml\n")
        text += f"\n  - ../../../../models/{model}/beside"
    overlay.write_text(f"{text}\n{more}", encoding="utf-8")


def released(root: Path, release: Release) -> None:
    (root / release_path("production", release.model)).write_text(render_release(release), encoding="utf-8")


@pytest.fixture
def several(scratch: Path, release_of: ReleaseOf) -> Path:
    """A tree in which production's property has iris and digits beside it."""
    for release in (release_of("property", "17"), release_of("iris", "4"), release_of("digits", "5")):
        released(scratch, release)
    for model in ("iris", "digits"):
        assert put_beside(scratch, "production", "property", model) == Path(
            beside_path("production", "property", model)
        )
    choose(scratch, "property", "iris", "digits", more=ROUTE)
    return scratch


def serving(built: list[dict[str, Any]]) -> dict[str, Any]:
    (rollout,) = [each for each in built if each["kind"] == "Rollout"]
    found: dict[str, Any] = rollout["spec"]["template"]
    return found


def test_committed_components_are_what_a_new_model_gets() -> None:
    for model in ("diabetes", "digits", "iris", "property"):
        path = f"models/{model}/beside/kustomization.yaml"
        assert (ROOT / path).read_text(encoding="utf-8") == kustomize_files(model)[path]


def test_the_server_reads_what_the_overlay_says(tool: None, several: Path, release_of: ReleaseOf) -> None:
    environment = pod(objects(build_overlay(several, "production", "property"))).environment
    settings = read(environment)
    assert (settings.model, settings.version) == ("property", "17")
    wanted = [release_of("digits", "5"), release_of("iris", "4")]
    assert settings.beside == tuple(Pin(each.model, each.version, each.uri, each.digest) for each in wanted)
    assert settings.route == ByField("kind", {"house": "property", "flower": "iris"})


def test_only_the_pod_template_changes_and_keeps_what_training_knew(
    tool: None, several: Path, release_of: ReleaseOf
) -> None:
    after: list[dict[str, Any]] = objects(build_overlay(several, "production", "property"))
    template = serving(after)
    for name, version in (("iris", "4"), ("digits", "5")):
        release = release_of(name, version)
        kept = template["metadata"]["annotations"].pop(f"mainline.dev/beside-{name}")
        assert kept == f"{release.run} {release.commit} 1"
    (container,) = template["spec"]["containers"]
    container["env"] = [each for each in container["env"] if not each["name"].startswith(("MAINLINE_B", "MAINLINE_R"))]
    overlay = several / "kustomize/overlays/production/property/kustomization.yaml"
    overlay.write_text((ROOT / overlay.relative_to(several)).read_text(encoding="utf-8"), encoding="utf-8")
    before: list[dict[str, Any]] = objects(build_overlay(several, "production", "property"))
    plain = serving(before)["spec"]["containers"][0]
    plain["env"] = [each for each in plain["env"] if not each["name"].startswith("MAINLINE_B")]
    assert after == before


def test_a_release_beside_and_its_revert_build_the_same_bytes(tool: None, several: Path, release_of: ReleaseOf) -> None:
    before = build_overlay(several, "production", "property")
    path = several / beside_path("production", "property", "iris")
    former = path.read_bytes()
    released(several, release_of("iris", "6"))
    put_beside(several, "production", "property", "iris")
    promoted = build_overlay(several, "production", "property")
    assert "6 s3://bundles/iris/6" in promoted
    path.write_bytes(former)
    assert build_overlay(several, "production", "property") == before
    path.write_text(render_release(replace(release_of("iris", "4"), attempt="2"), beside_name("iris")))
    assert build_overlay(several, "production", "property") != before


def test_such_an_overlay_lints_clean(tool: None, several: Path) -> None:
    report = judge({"property": build_overlay(several, "production", "property")}, complete=True)
    assert report.findings == []


def test_a_component_without_its_release_does_not_build(tool: None, scratch: Path) -> None:
    overlay = scratch / "kustomize/overlays/production/property/kustomization.yaml"
    text = overlay.read_text(encoding="utf-8")
    overlay.write_text(f"{text}  - ../../../../models/iris/beside\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="does not build"):
        build_overlay(scratch, "production", "property")


def test_a_cluster_refuses_an_unreleased_model_beside(tool: None, several: Path) -> None:
    path = several / beside_path("production", "property", "iris")
    path.write_text(render_release(unreleased("iris"), beside_name("iris")), encoding="utf-8")
    with pytest.raises(GateClosed, match="nothing is released here"):
        refuse_on_cluster(objects(build_overlay(several, "production", "property")))


def test_what_is_copied_is_the_release_under_another_name(several: Path, release_of: ReleaseOf) -> None:
    text = (several / beside_path("production", "property", "iris")).read_text(encoding="utf-8")
    assert read_release(text, beside_name("iris")) == release_of("iris", "4")
    with pytest.raises(ConfigError, match="must be the v1 ConfigMap named release"):
        read_release(text)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--main", "iris", "--model", "iris"], 2, "is the main model"),
        (["--main", "irises", "--model", "iris"], 2, "no such file"),
        (["--main", "iris", "--model", "digits"], 3, "nothing is released"),
    ],
)
def test_what_cannot_stand_beside_is_refused(
    scratch: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    assert main(["--root", str(scratch), "--env", "production", *arguments]) == code
    assert said in capsys.readouterr().err


def test_the_command_says_what_the_overlay_must_list(several: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The lines are those by which this file's overlays are built."""
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    overlay = (several / "kustomize/overlays/production/property/kustomization.yaml").read_text(encoding="utf-8")
    for line in (f"{beside_name('iris')}.yaml", "../../../../models/iris/beside"):
        assert f"  - {line}\n" in overlay
        assert f"`{line}`" in told


def test_the_command_says_what_it_wrote(
    scratch: Path, release_of: ReleaseOf, capsys: pytest.CaptureFixture[str]
) -> None:
    released(scratch, release_of("iris", "4"))
    assert main(["--root", str(scratch), "--env", "production", "--main", "property", "--model", "iris"]) == 0
    assert capsys.readouterr().out.strip() == beside_path("production", "property", "iris")
