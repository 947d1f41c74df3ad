"""The bundle: written whole, verified to the last byte; each way of being wrong is an error of its own."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models import bundle as b
from models.bundle import Digest, Golden, digest, open_bundle, write

FILES = ("model.onnx", "golden.json", "reference.parquet", "held_out.parquet", "background.json")


def test_written_bundle_opens_under_its_digest(bundle: Path) -> None:
    opened = open_bundle(bundle, digest(bundle))
    assert opened.manifest.model == "house"
    assert opened.manifest.lineage.commit == "c" * 40
    assert [feature.name for feature in opened.features] == ["area", "rooms", "street", "sold"]
    assert set(opened.manifest.files) == set(FILES)
    assert len(opened.golden.rows) == 16
    np.testing.assert_array_equal(opened.background[:, 0], np.array([0, 10], dtype=np.float32))
    assert opened.size == sum(path.stat().st_size for path in bundle.iterdir())


def test_same_content_gives_the_same_digest(bundle: Path, tmp_path: Path) -> None:
    opened = open_bundle(bundle, None)
    files = {name: bundle / name for name in reversed(FILES)}
    manifest = opened.manifest.model_copy(update={"files": {}})
    assert write(tmp_path / "deep" / "again", manifest, files) == opened.digest


def test_other_lineage_gives_another_digest(bundle: Path, tmp_path: Path) -> None:
    opened = open_bundle(bundle, None)
    lineage = opened.manifest.lineage.model_copy(update={"dirty": True})
    manifest = opened.manifest.model_copy(update={"files": {}, "lineage": lineage})
    assert write(tmp_path / "again", manifest, {name: bundle / name for name in FILES}) != opened.digest


def test_former_bundle_is_replaced_and_nothing_is_left_beside(bundle: Path) -> None:
    former = open_bundle(bundle, None)
    lineage = former.manifest.lineage.model_copy(update={"dirty": True})
    manifest = former.manifest.model_copy(update={"files": {}, "lineage": lineage})
    content: dict[str, bytes | Path] = {name: former.read(name) for name in FILES}
    assert write(bundle, manifest, content) == open_bundle(bundle, None).digest != former.digest
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]


@pytest.mark.parametrize("name", FILES)
def test_incomplete_bundle_is_not_written(bundle: Path, tmp_path: Path, name: str) -> None:
    opened = open_bundle(bundle, None)
    files: dict[str, bytes | Path] = {other: bundle / other for other in FILES if other != name}
    with pytest.raises(b.FileMissing, match=name):
        write(tmp_path / "again", opened.manifest, files)
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("name", ["../x", "a/b", "/etc/x", "..", "", "a\\b", "bundle.json"])
def test_name_that_escapes_is_not_written(bundle: Path, tmp_path: Path, name: str) -> None:
    opened = open_bundle(bundle, None)
    with pytest.raises(b.PathEscapes):
        write(tmp_path / "again", opened.manifest, {**{other: bundle / other for other in FILES}, name: b"x"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle"]


@pytest.mark.parametrize("name", FILES)
def test_one_flipped_bit_in_any_file_is_refused(bundle: Path, name: str) -> None:
    content = bytearray((bundle / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / name).write_bytes(content)
    with pytest.raises(b.FileTampered, match=name):
        open_bundle(bundle, None)


def test_any_flipped_bit_in_the_manifest_is_refused(bundle: Path) -> None:
    known, content = digest(bundle), (bundle / "bundle.json").read_bytes()
    for index in range(0, len(content), 37):
        flipped = bytearray(content)
        flipped[index] ^= 1
        (bundle / "bundle.json").write_bytes(flipped)
        with pytest.raises(b.DigestMismatch):
            open_bundle(bundle, known)


def test_another_digest_is_refused(bundle: Path) -> None:
    with pytest.raises(b.DigestMismatch, match="must be sha256:0"):
        open_bundle(bundle, Digest("sha256:0"))


@pytest.mark.parametrize("name", FILES)
def test_truncated_file_is_refused(bundle: Path, name: str) -> None:
    with (bundle / name).open("r+b") as file:
        file.truncate(10)
    with pytest.raises(b.FileTruncated, match=name):
        open_bundle(bundle, None)


def test_longer_file_is_refused(bundle: Path) -> None:
    with (bundle / "model.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(b.FileTampered):
        open_bundle(bundle, None)


@pytest.mark.parametrize("name", FILES)
def test_missing_file_is_refused(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    with pytest.raises(b.FileMissing, match=name):
        open_bundle(bundle, None)


@pytest.mark.parametrize("name", ["extra.txt", ".hidden", "model.pkl"])
def test_file_that_is_not_listed_is_refused(bundle: Path, name: str) -> None:
    (bundle / name).write_bytes(b"x")
    with pytest.raises(b.FileUnexpected, match="does not list it"):
        open_bundle(bundle, None)


def test_link_is_refused_though_its_content_is_right(bundle: Path, tmp_path: Path) -> None:
    os.replace(bundle / "model.onnx", tmp_path / "elsewhere")
    (bundle / "model.onnx").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(b.PathEscapes, match="is a link"):
        open_bundle(bundle, None)


def test_linked_manifest_is_refused(bundle: Path, tmp_path: Path) -> None:
    os.replace(bundle / "bundle.json", tmp_path / "elsewhere")
    (bundle / "bundle.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(b.PathEscapes, match="is a link"):
        open_bundle(bundle, None)


def test_folder_in_place_of_a_file_is_refused(bundle: Path) -> None:
    (bundle / "model.onnx").unlink()
    (bundle / "model.onnx").mkdir()
    with pytest.raises(b.FileTampered, match="no regular file"):
        open_bundle(bundle, None)


def _spoil(bundle: Path, change: Callable[[dict[str, object]], object]) -> None:
    manifest = json.loads((bundle / "bundle.json").read_text())
    change(manifest)
    (bundle / "bundle.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("name", ["../model.onnx", "/etc/passwd", "sub/model.onnx", "..", "bundle.json"])
def test_listed_path_that_escapes_is_refused(bundle: Path, name: str) -> None:
    _spoil(bundle, lambda m: m["files"].update({name: {"sha256": "0" * 64, "size": 1}}))  # type: ignore[attr-defined]
    with pytest.raises(b.PathEscapes, match="no plain name"):
        open_bundle(bundle, None)


@pytest.mark.parametrize("version", [0, 1, 3, "2", 2.0, True, None])
def test_unknown_format_is_refused(bundle: Path, version: object) -> None:
    _spoil(bundle, lambda m: m.update(format=version))
    with pytest.raises(b.UnknownFormat, match="this code reads 2"):
        open_bundle(bundle, None)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "\xff", "[" * 100_000])
def test_manifest_that_is_no_manifest_is_refused(bundle: Path, text: str) -> None:
    (bundle / "bundle.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(b.NotABundle):
        open_bundle(bundle, None)


def test_manifest_with_an_unknown_key_is_refused(bundle: Path) -> None:
    _spoil(bundle, lambda m: m.update(more=1))
    with pytest.raises(b.NotABundle, match="more"):
        open_bundle(bundle, None)


def test_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(b.NotABundle, match=r"has no bundle\.json"):
            open_bundle(folder, None)


def test_file_changed_after_opening_is_refused(bundle: Path) -> None:
    opened = open_bundle(bundle, None)
    (bundle / "model.onnx").write_bytes(b"x" * opened.manifest.files["model.onnx"].size)
    with pytest.raises(b.FileTampered):
        opened.read("model.onnx")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{", "Invalid JSON"),
        (b"{}", "rows"),
        (b'{"rows": [], "outputs": {}, "tolerance": {"absolute": 0, "relative": 0}}', "at least 16"),
        (
            json.dumps(
                {"rows": [{}] * 16, "outputs": {"x": [1]}, "tolerance": {"absolute": 0, "relative": 0}}
            ).encode(),
            "x has 1 values for 16 rows",
        ),
    ],
    ids=["no-json", "no-rows", "few-rows", "few-outputs"],
)
def test_golden_rows_of_the_wrong_shape_are_refused(data: bytes, said: str) -> None:
    with pytest.raises(b.NotABundle, match=said):
        Golden.from_json(data)


def test_nan_is_never_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        b.canonical([float("nan")])
