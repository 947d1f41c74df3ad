#!/usr/bin/env python3
"""Packs a folder as an image of one layer and pushes it to a registry; needs no engine, nothing but Python itself.

Sorted names and fixed times make the digest depend on the content alone. Prints `NAME@DIGEST`.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_LEFT_OUT = ("proc/*", "sys/*", "dev/*", "var/cache/apt/*", "var/lib/apt/lists/*")


def _pack(root: Path, to: Path, *, owner_root: bool) -> str:
    """Writes the layer; GNU tar keeps links and modes right and is fast.

    Returns:
        Its digest.
    """
    owner = ["--owner=0", "--group=0"] if owner_root else []
    left_out = [f"--exclude=./{pattern}" for pattern in _LEFT_OUT]
    fixed = ["--sort=name", "--mtime=@0", "--numeric-owner"]
    subprocess.run(["tar", *fixed, *owner, *left_out, "-C", str(root), "-cf", str(to), "."], check=True)
    digest = hashlib.sha256()
    with to.open("rb") as layer:
        while block := layer.read(1 << 20):
            digest.update(block)
    return f"sha256:{digest.hexdigest()}"


def _config(layer: str, arguments: argparse.Namespace) -> bytes:
    """The image's configuration, as `docker inspect` shows it."""
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    run: dict[str, Any] = {"Env": [path, *arguments.env], "User": arguments.user, "WorkingDir": arguments.workdir}
    run |= {"Entrypoint": arguments.entrypoint} if arguments.entrypoint else {"Cmd": ["/bin/sh"]}
    history = [{"created": "1970-01-01T00:00:00Z", "created_by": "tests/e2e/cluster/image.py"}]
    described = {
        "architecture": arguments.architecture,
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": run,
    }
    return json.dumps({**described, "rootfs": {"type": "layers", "diff_ids": [layer]}, "history": history}).encode()


class Registry:
    """One repository of a registry that speaks plain HTTP."""

    def __init__(self, host: str, repository: str) -> None:
        self._base = f"http://{host}/v2/{repository}"

    def blob(self, content: IO[bytes], digest: str, size: int) -> None:
        """Uploads a blob that the registry does not have yet."""
        try:
            self._ask("HEAD", f"{self._base}/blobs/{digest}")
        except urllib.error.HTTPError as err:
            if err.code != 404:
                raise
        else:
            return
        place = self._ask("POST", f"{self._base}/blobs/uploads/", b"")["Location"]
        joined = f"{place}{'&' if '?' in place else '?'}digest={digest}"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        self._ask("PUT", joined, _blocks(content), headers)

    def manifest(self, tag: str, content: bytes) -> str:
        """Puts a manifest under a tag.

        Returns:
            Its digest, as the registry tells it.
        """
        answer = self._ask("PUT", f"{self._base}/manifests/{tag}", content, {"Content-Type": _MANIFEST})
        return str(answer["Docker-Content-Digest"])

    def _ask(self, method: str, url: str, data: Any = None, headers: dict[str, str] | None = None) -> Any:
        request = urllib.request.Request(url, data=data, headers=headers or {}, method=method)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a registry on this machine
        with direct.open(request, timeout=300) as answer:
            return answer.headers


def _blocks(content: IO[bytes]) -> Iterator[bytes]:
    while block := content.read(1 << 20):
        yield block


def push(arguments: argparse.Namespace) -> str:
    """Packs and pushes.

    Returns:
        The image's reference by digest.
    """
    repository, _, tag = arguments.name.rpartition(":")
    registry = Registry(arguments.registry, repository)
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
        layer = Path(scratch, "layer.tar")
        digest = _pack(arguments.root, layer, owner_root=arguments.owner_root)
        size = layer.stat().st_size
        with layer.open("rb") as content:
            registry.blob(content, digest, size)
        config, config_path = _config(digest, arguments), Path(scratch, "config.json")
        config_path.write_bytes(config)
        config_digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
        with config_path.open("rb") as content:
            registry.blob(content, config_digest, len(config))
    described = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": len(config),
            "digest": config_digest,
        },
        "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar", "size": size, "digest": digest}],
    }
    return f"{arguments.registry}/{repository}@{registry.manifest(tag, json.dumps(described).encode())}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="the folder that becomes the image's root")
    parser.add_argument("name", help="REPOSITORY:TAG, without the registry")
    parser.add_argument("--entrypoint", action="append", default=[], help="one word of it")
    parser.add_argument("--registry", required=True, help="HOST:PORT")
    parser.add_argument("--scratch", type=Path, help="where the layer is written meanwhile")
    parser.add_argument("--owner-root", action="store_true", help="root owns every file")
    parser.add_argument("--user", default="", help="a pod with runAsNonRoot needs a number")
    parser.add_argument("--workdir", default="")
    parser.add_argument("--architecture", default="amd64")
    parser.add_argument("--env", action="append", default=[], help="KEY=VALUE")
    return parser


if __name__ == "__main__":
    sys.stdout.write(push(_parser().parse_args()) + "\n")
