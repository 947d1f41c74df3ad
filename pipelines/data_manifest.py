"""Which files a commit's `data.dvc` stands for: its one md5 names a directory manifest, which lists each file's md5.

The manifest lies in the folder remote that ships with the repository, or behind the remote's URL. Read by
`pipelines.changed`, which compares two of them to see whose data a push moved.
"""

import configparser
import json
import posixpath
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import yaml

from models.errors import MainlineError

POINTER = "data.dvc"
CONFIG = ".dvc/config"


class ManifestUnreadable(MainlineError):  # noqa: N818  (the domain's word)
    """What `data.dvc` points to cannot be read."""


def _stored(uri: str) -> bytes:
    from models.store import read_bytes  # bundles and numpy with it: half a second that most pushes need not wait

    return read_bytes(uri)


def manifest(read: Callable[[str], bytes], fetch: Callable[[str], bytes] = _stored) -> dict[str, str]:
    """File name in data/ to its md5.

    Args:
        read: a file of the commit by its path; raises KeyError where there is none.
        fetch: the bytes at a URI, for a remote outside the repository.

    Raises:
        ManifestUnreadable: no pointer, no remote, or no manifest behind it.
    """
    try:
        md5 = yaml.safe_load(read(POINTER))["outs"][0]["md5"]
        if not str(md5).endswith(".dir"):
            raise ManifestUnreadable(f"{POINTER}: md5 {md5} is no directory's; track data/ as one folder: dvc add data")
        path = f"files/md5/{md5[:2]}/{md5[2:]}"
        remote = _remote(read(CONFIG).decode())
        inside = not urlsplit(remote).scheme and not posixpath.isabs(remote)
        # a relative URL of a remote is relative to the folder of DVC's configuration
        content = read(posixpath.normpath(f".dvc/{remote}/{path}")) if inside else fetch(f"{_uri(remote)}/{path}")
        return {entry["relpath"]: entry["md5"] for entry in json.loads(content)}
    except (KeyError, IndexError, TypeError, ValueError, yaml.YAMLError, configparser.Error) as err:
        raise ManifestUnreadable(f"{POINTER}: {err!r}; push the data first: dvc push") from err


def _uri(remote: str) -> str:
    return remote.rstrip("/") if urlsplit(remote).scheme else f"file://{remote.rstrip('/')}"


def _remote(config: str) -> str:
    parser = configparser.ConfigParser()
    # DVC indents the keys, which configparser would take for continued values
    parser.read_string("\n".join(line.strip() for line in config.splitlines()))
    settings: Mapping[str, str] = parser[f"'remote \"{parser['core']['remote']}\"'"]
    return settings["url"]
