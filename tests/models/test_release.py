"""release.yaml: what is read is what was written, and every way of being wrong is said."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from models.errors import ConfigError
from models.release import Release, read_release, release_path, render_release, unreleased

RELEASE = Release(
    image="registry.example.org/serving@sha256:" + "a" * 64,
    model="iris",
    version="17",
    uri="s3://bundles/iris/17",
    digest="sha256:" + "b" * 64,
    run="0f3c",
    commit="c" * 40,
)


@pytest.mark.parametrize("release", [RELEASE, replace(RELEASE, image="this-machine"), unreleased("iris")])
def test_written_is_read_and_written_the_same(release: Release, tmp_path: Path) -> None:
    text = render_release(release)
    (tmp_path / "release.yaml").write_text(text, encoding="utf-8")
    assert read_release(text) == read_release(tmp_path / "release.yaml") == release
    assert render_release(read_release(text)) == text


def test_state_before_the_first_release_is_not_released() -> None:
    assert not unreleased("iris").is_released
    assert unreleased("iris").version == "0"
    assert RELEASE.is_released


def test_release_never_reaches_a_cluster_and_its_values_stay_text() -> None:
    document = yaml.safe_load(render_release(RELEASE))
    assert document["metadata"]["annotations"] == {"config.kubernetes.io/local-config": "true"}
    assert document["data"]["version"] == "17"


def test_release_path_is_the_overlays() -> None:
    assert release_path("staging", "iris") == "kustomize/overlays/staging/iris/release.yaml"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image": "serving:latest"}, "data.image: got 'serving:latest', must be NAME@sha256"),
        ({"model": "Iris"}, "data.model: got 'Iris'"),
        ({"version": "0"}, "data.version: got '0', must be a whole number from 1"),
        ({"version": "latest"}, "data.version: got 'latest'"),
        ({"uri": "/tmp/bundle"}, "data.uri: got '/tmp/bundle'"),
        ({"digest": "sha256:12"}, "data.digest: got 'sha256:12'"),
        ({"run": "a b"}, "data.run: got 'a b'"),
        ({"commit": "abc"}, "data.commit: got 'abc', must be a full commit id"),
        ({"digest": "unreleased"}, "digest unreleased and the others not"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_wrong_value_is_neither_written_nor_read(change: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        render_release(replace(RELEASE, **change))
    assert said in str(refused.value)
    document = yaml.safe_load(render_release(RELEASE))
    document["data"] |= change
    with pytest.raises(ConfigError) as refused:
        read_release(yaml.safe_dump(document))
    assert said in str(refused.value)


def test_unreleased_with_a_version_is_refused() -> None:
    with pytest.raises(ConfigError, match='must be "0" while unreleased'):
        render_release(replace(unreleased("iris"), version="3"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1", "not YAML"),
        ("- 1", "got list, must be a ConfigMap"),
        ("kind: Secret", "must be the v1 ConfigMap named release"),
        (render_release(RELEASE).replace('"true"', '"false"'), "metadata.annotations"),
        (render_release(RELEASE).replace('version: "17"', "version: 17"), "got 17 (int), must be a quoted string"),
        (render_release(RELEASE).replace("  run:", "  rnu:"), "data.run: missing"),
        (render_release(RELEASE).replace("  run:", "  rnu:"), "data.rnu: unknown"),
        (render_release(RELEASE).split("\ndata:", maxsplit=1)[0] + "\ndata: 1\n", "data: got int, must be a mapping"),
    ],
)
def test_wrong_file_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_release(text)
    assert said in str(refused.value)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_release(tmp_path / "release.yaml")
