"""An image that is another one and a little more: made at the registry, by one layer and an environment laid over it.

So a faulty server is released as any server is, by another image in release.yaml: the pod's command stays what it was.
"""

import gzip
import hashlib
import io
import json
import tarfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

# Kinds of manifests, each with its kind of gzipped layer.
_KINDS = {
    "application/vnd.oci.image.manifest.v1+json": "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.docker.distribution.manifest.v2+json": "application/vnd.docker.image.rootfs.diff.tar.gzip",
}
# Before a name, in the images' format: it is no longer there.
WHITEOUT = ".wh."
_PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Repository:
    """Where an image lies: the registry's address, and the name there."""

    registry: str
    name: str

    def get(self, path: str) -> tuple[bytes, str]:
        """What is there, and its kind."""
        request = urllib.request.Request(f"{self._root}/{path}", headers={"Accept": ", ".join(_KINDS)})
        with urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS) as answer:
            return answer.read(), answer.headers["Content-Type"]

    def put_blob(self, data: bytes) -> str:
        """Uploads a blob; its digest."""
        digest = _digest(data)
        request = urllib.request.Request(f"{self._root}/blobs/uploads/", b"", method="POST")
        with urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS) as answer:
            where = urljoin(self._root + "/", answer.headers["Location"])
        where += ("&" if "?" in where else "?") + f"digest={digest}"
        headers = {"Content-Type": "application/octet-stream"}
        urllib.request.urlopen(
            urllib.request.Request(where, data, headers, method="PUT"), timeout=_PATIENCE_SECONDS
        ).close()
        return digest

    def put_manifest(self, manifest: Mapping[str, Any], kind: str, tag: str) -> str:
        """Puts a manifest under a tag; its digest."""
        data = json.dumps(manifest).encode()
        request = urllib.request.Request(f"{self._root}/manifests/{tag}", data, {"Content-Type": kind}, method="PUT")
        urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS).close()
        return _digest(data)

    @property
    def _root(self) -> str:
        return f"{self.registry}/v2/{self.name}"


def variant(image: str, tag: str, *, files: Mapping[str, bytes], environment: Mapping[str, str]) -> str:
    """An image like `image` with these files (by absolute path) over its own, and these variables; by digest.

    An empty file takes away what lies there.

    Raises:
        OSError: the registry does not answer, or lets nobody write without a name.
    """
    where, _, digest = image.partition("@")
    registry, _, name = where.partition("/")
    repository = Repository(_address(registry), name)
    text, kind = repository.get(f"manifests/{digest}")
    manifest = json.loads(text)
    config = json.loads(repository.get(f"blobs/{manifest['config']['digest']}")[0])
    tar = _tar(files)
    layer = gzip.compress(tar, mtime=0)
    config["rootfs"]["diff_ids"].append(_digest(tar))
    config.setdefault("history", []).append({"created_by": f"a specimen: {tag}"})
    kept = [each for each in config["config"].get("Env", []) if each.partition("=")[0] not in environment]
    config["config"]["Env"] = [*kept, *(f"{key}={value}" for key, value in environment.items())]
    data = json.dumps(config).encode()
    manifest["config"] |= {"digest": repository.put_blob(data), "size": len(data)}
    manifest["layers"].append({"mediaType": _KINDS[kind], "digest": repository.put_blob(layer), "size": len(layer)})
    return f"{where}@{repository.put_manifest(manifest, kind, tag)}"


def _tar(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, data in sorted(files.items()):
            folder, _, name = path.lstrip("/").rpartition("/")
            entry = tarfile.TarInfo(f"{folder}/{name if data else WHITEOUT + name}")
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def _address(registry: str) -> str:
    """With TLS, else without, as a registry on the own machine is."""
    try:
        urllib.request.urlopen(f"https://{registry}/v2/", timeout=5).close()
    except urllib.error.HTTPError:
        return f"https://{registry}"
    except OSError:
        return f"http://{registry}"
    return f"https://{registry}"


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
