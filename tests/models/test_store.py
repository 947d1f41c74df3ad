"""Bundles and objects at a URI, on real files: whole or not at all, and verified on the way."""

from pathlib import Path

import pytest

from models.bundle import Digest, DigestMismatch, FileTampered, PathEscapes, digest, open_bundle, write
from models.errors import ConfigError
from models.store import BundleExists, ObjectMissing, StoreError, fetch, put, read_bytes, write_bytes


@pytest.fixture
def uri(bundle: Path, tmp_path: Path) -> str:
    """Where a valid bundle was put."""
    address = (tmp_path / "a store" / "deep").as_uri()
    assert put(bundle, address) == digest(bundle)
    return address


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_bundle_that_was_put_is_fetched(bundle: Path, uri: str, tmp_path: Path) -> None:
    fetched = fetch(uri, tmp_path / "cache" / "x", digest(bundle))
    assert fetched.folder == tmp_path / "cache" / "x"
    assert {name: (fetched.folder / name).read_bytes() for name in _files(bundle)} == {
        path.name: path.read_bytes() for path in bundle.iterdir()
    }
    assert _files(tmp_path / "cache") == ["x"]


def test_putting_twice_is_as_good_as_once(bundle: Path, uri: str) -> None:
    assert put(bundle, uri) == digest(bundle)


def test_another_bundle_does_not_replace_what_was_put(bundle: Path, uri: str, tmp_path: Path) -> None:
    opened = open_bundle(bundle, None)
    lineage = opened.manifest.lineage.model_copy(update={"dirty": True})
    other = tmp_path / "other"
    write(
        other, opened.manifest.model_copy(update={"lineage": lineage}), {n: bundle / n for n in opened.manifest.files}
    )
    with pytest.raises(BundleExists, match="URI of its own"):
        put(other, uri)
    fetch(uri, tmp_path / "x", opened.digest)


def test_half_an_upload_is_completed(bundle: Path, uri: str, tmp_path: Path) -> None:
    there = tmp_path / "a store" / "deep"
    (there / "bundle.json").unlink()
    (there / "model.onnx").write_bytes(b"half")
    with pytest.raises(ObjectMissing):
        fetch(uri, tmp_path / "x", None)
    put(bundle, uri)
    fetch(uri, tmp_path / "x", digest(bundle))


def test_wrong_digest_is_refused_and_leaves_nothing(uri: str, tmp_path: Path) -> None:
    with pytest.raises(DigestMismatch):
        fetch(uri, tmp_path / "cache" / "x", Digest("sha256:0"))
    assert not (tmp_path / "cache").exists()


def test_tampered_object_is_refused_and_leaves_nothing(bundle: Path, uri: str, tmp_path: Path) -> None:
    path = tmp_path / "a store" / "deep" / "model.onnx"
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(FileTampered, match=r"deep/model\.onnx"):
        fetch(uri, tmp_path / "cache" / "x", digest(bundle))
    assert _files(tmp_path / "cache") == []


def test_listed_path_that_escapes_is_never_fetched(bundle: Path, uri: str, tmp_path: Path) -> None:
    path = tmp_path / "a store" / "deep" / "bundle.json"
    path.write_text(path.read_text().replace('"model.onnx"', '"../model.onnx"'))
    with pytest.raises(PathEscapes):
        fetch(uri, tmp_path / "x", None)


def test_missing_object_of_a_bundle_is_told(bundle: Path, uri: str, tmp_path: Path) -> None:
    (tmp_path / "a store" / "deep" / "golden.json").unlink()
    with pytest.raises(ObjectMissing, match=r"golden\.json: not found"):
        fetch(uri, tmp_path / "x", digest(bundle))


def test_good_copy_is_used_without_the_store(bundle: Path, uri: str, tmp_path: Path) -> None:
    fetch(uri, tmp_path / "x", digest(bundle))
    fetch("file:///nowhere/at/all", tmp_path / "x", digest(bundle))


def test_damaged_copy_is_replaced(bundle: Path, uri: str, tmp_path: Path) -> None:
    fetch(uri, tmp_path / "x", digest(bundle))
    (tmp_path / "x" / "model.onnx").write_bytes(b"damaged")
    fetch(uri, tmp_path / "x", digest(bundle))
    open_bundle(tmp_path / "x", digest(bundle))


def test_objects_are_written_over_and_read(tmp_path: Path) -> None:
    uri = (tmp_path / "new" / "a b.bin").as_uri()
    for data in (b"one", b"two", b""):
        write_bytes(uri, data)
        assert read_bytes(uri) == data
    assert _files(tmp_path / "new") == ["a b.bin"]


@pytest.mark.parametrize("path", ["nowhere/x", "x"])
def test_missing_object_is_a_file_not_found(tmp_path: Path, path: str) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        read_bytes(f"{tmp_path.as_uri()}/{path}")
    assert isinstance(caught.value, StoreError)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("ftp://x/y", "must begin with one of file://, s3://, gs://, https://"),
        ("http://x/y", 'did you mean "https"'),
        ("/a/path", "must be scheme://place/name"),
        ("file://host/x/y", "must be file:/// and an absolute path"),
        ("s3://bucket/", "must be scheme://place/name"),
    ],
)
def test_uri_that_is_none_is_a_configuration_error(uri: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_bytes(uri)


def test_store_that_does_not_answer_is_an_error_that_may_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    from obstore.store import S3Store

    from models import object_store

    unreachable = S3Store(
        "bucket",
        endpoint="http://127.0.0.1:1",
        access_key_id="a",
        secret_access_key="b",
        client_options={"allow_http": True, "connect_timeout": timedelta(seconds=1)},
        retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=1)},
    )
    monkeypatch.setattr(object_store, "from_url", lambda uri, **options: unreachable)
    with pytest.raises(StoreError, match="check access and network"):
        read_bytes("s3://bucket/x")
    with pytest.raises(StoreError, match="check access and space"):
        write_bytes("s3://bucket/x", b"1")
