"""Promotion and its revert in real git, as Kustomize builds them."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from models.errors import GateClosed
from models.release import Release, release_path, render_release
from pipelines import tracking
from pipelines.build import build_overlay, main, objects, refuse_on_cluster, rollout
from pipelines.forge import merge
from pipelines.promote import promote


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.slow
def test_promotion_changes_one_file_and_its_revert_builds_the_same_bytes(
    tool: None, store: str, scratch: Path, tmp_path: Path, release_of: Callable[..., Release]
) -> None:
    for known in (release_of("iris", "1"), release_of("iris", "2")):
        tracking.register_version("iris", run_id=known.run, uri=known.uri, digest=known.digest, tags={})
    for environment, version in (("staging", "2"), ("production", "1")):
        file = scratch / release_path(environment, "iris")
        file.write_text(render_release(release_of("iris", version)), encoding="utf-8")
    git(scratch, "init", "-q", "-b", "main")
    git(scratch, "add", "-A")
    git(scratch, "commit", "-qm", "start")
    origin = tmp_path / "origin.git"
    git(tmp_path, "clone", "-q", "--bare", str(scratch), str(origin))
    git(scratch, "remote", "add", "origin", str(origin))
    before = build_overlay(scratch, "production", "iris")

    proposal = promote(origin, "iris")
    merge(origin, proposal.branch, "Grace Approver <grace@example.org>")
    git(scratch, "pull", "-q", "--ff-only", "origin", "main")
    changed = git(scratch, "diff", "--name-only", "HEAD~1", "HEAD").splitlines()
    assert changed == [release_path("production", "iris")]
    texts = [(scratch / release_path(env, "iris")).read_bytes() for env in ("staging", "production")]
    assert texts[0] == texts[1]
    promoted = build_overlay(scratch, "production", "iris")
    assert promoted != before
    assert "s3://bundles/iris/2" in promoted

    git(scratch, "revert", "--no-edit", "-m", "1", "HEAD")
    assert build_overlay(scratch, "production", "iris") == before


def test_mistyped_overlay_says_which_was_meant(scratch: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(scratch), "--env", "stagin", "--model", "iris"]) == 2
    assert "did you mean staging/iris?" in capsys.readouterr().err


def test_cluster_refuses_what_only_this_machine_can_run(
    tool: None, scratch: Path, capsys: pytest.CaptureFixture[str], release_of: Callable[..., Release]
) -> None:
    asked = ["--root", str(scratch), "--env", "staging", "--model", "iris"]
    assert main([*asked, "--cluster"]) == 3
    said = capsys.readouterr()
    assert "this-machine" in said.err
    assert "nothing is released" in said.err
    assert said.out == ""
    assert main(asked) == 0
    git(scratch, "init", "-q", "-b", "main")
    git(scratch, "add", "-A")
    git(scratch, "commit", "-qm", "start")
    (scratch / release_path("staging", "iris")).write_text(render_release(release_of("iris")), encoding="utf-8")
    assert main([*asked, "--cluster"]) == 3
    assert "no commit on this branch released it to staging" in capsys.readouterr().err


def test_who_let_a_release_in_stands_on_the_rollout_and_not_in_its_pods(
    tool: None, scratch: Path, capsys: pytest.CaptureFixture[str], release_of: Callable[..., Release]
) -> None:
    git(scratch, "init", "-q", "-b", "main")
    git(scratch, "add", "-A")
    git(scratch, "commit", "-qm", "start")
    git(scratch, "switch", "-qc", "proposal")
    (scratch / release_path("staging", "iris")).write_text(render_release(release_of("iris")), encoding="utf-8")
    git(scratch, "commit", "-qam", "release: iris 17", "--author", "Machine <machine@example.org>")
    git(scratch, "switch", "-q", "main")
    git(scratch, "-c", "user.name=Grace", "-c", "user.email=g@example.org", "merge", "-q", "--no-ff", "proposal")
    assert main(["--root", str(scratch), "--env", "staging", "--model", "iris", "--cluster"]) == 0
    applied = rollout(objects(capsys.readouterr().out))
    plain = rollout(objects(build_overlay(scratch, "staging", "iris")))
    assert applied["spec"] == plain["spec"]
    annotations = applied["metadata"]["annotations"]  # type: ignore[index]
    assert annotations["mainline.dev/merge-commit"] == git(scratch, "rev-parse", "HEAD")
    assert annotations["mainline.dev/proposed-by"] == "Machine <machine@example.org>"
    assert annotations["mainline.dev/approver"] == git(scratch, "show", "-s", "--format=%an <%ae>")
    assert set(plain["metadata"]["annotations"]) <= set(annotations)  # type: ignore[index]
    # another image or attempt of the same version has an approver of its own
    another = replace(release_of("iris"), attempt="2")
    (scratch / release_path("staging", "iris")).write_text(render_release(another), encoding="utf-8")
    git(scratch, "commit", "-qam", "again", "--author", "Heidi <heidi@example.org>")
    assert main(["--root", str(scratch), "--env", "staging", "--model", "iris", "--cluster"]) == 0
    again = rollout(objects(capsys.readouterr().out))["metadata"]["annotations"]  # type: ignore[index]
    assert again["mainline.dev/approver"] == "Heidi <heidi@example.org>"


def test_overlay_that_does_not_build_is_said_with_kustomizes_words(
    tool: None, scratch: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    component = scratch / "kustomize/components/release/kustomization.yaml"
    text = component.read_text(encoding="utf-8").replace("name=MAINLINE_MODEL]", "name=MAINLINE_MODLE]")
    component.write_text(text, encoding="utf-8")
    assert main(["--root", str(scratch), "--env", "staging", "--model", "iris"]) == 2
    assert "does not build" in capsys.readouterr().err


def test_tag_is_refused_on_a_cluster() -> None:
    with pytest.raises(GateClosed, match="not pinned by digest"):
        refuse_on_cluster(objects("kind: Pod\nspec: {containers: [{image: 'serving:1.0'}]}\n"))
