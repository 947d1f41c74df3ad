"""A real Gitea on loopback with one account and one repository, for the tests of what a forge is asked."""

import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

CACHE = Path.home() / ".cache/mainline-cluster"
GITEA = shutil.which("gitea", path=f"{os.environ.get('PATH', '')}:{CACHE / 'bin'}")
# Its pages and texts: beside the source that it was built from, or where an image has them.
STATIC = CACHE / "src/gitea" if (CACHE / "src/gitea").is_dir() else Path("/usr/local/share/gitea")
OWNER = "robot"

_INI = """
APP_NAME = test
RUN_MODE = prod
RUN_USER = {user}
WORK_PATH = {work}
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}/
STATIC_ROOT_PATH = {static}
DISABLE_SSH = true
OFFLINE_MODE = true
LFS_START_SERVER = false
[database]
DB_TYPE = sqlite3
[security]
INSTALL_LOCK = true
SECRET_KEY = {secret}
PASSWORD_HASH_ALGO = pbkdf2_v2
[oauth2]
ENABLED = false
[repository]
DEFAULT_BRANCH = main
[actions]
ENABLED = false
[indexer]
ISSUE_INDEXER_TYPE = db
[log]
LEVEL = Warn
"""


def why_not() -> str:
    """Why there is no Gitea to start; empty where there is one."""
    if GITEA is None:
        return "no `gitea` on PATH or in ~/.cache/mainline-cluster/bin: `make cluster` builds it"
    return ""


_ACCOUNT = (
    *("admin", "user", "create", "--username", OWNER, "--password", secrets.token_hex(12)),
    *("--email", "robot@example.org", "--must-change-password=false"),
    *("--access-token", "--access-token-name", "test", "--access-token-scopes", "all"),
)


@dataclass(frozen=True)
class Server:
    """A Gitea that runs: its API's address, the token of `robot`, and the repository that is asked about."""

    api: str
    token: str
    name: str = "mainline"

    @property
    def repository(self) -> str:
        """Where git finds the repository."""
        return f"{self.api.removesuffix('/api/v1')}/{OWNER}/{self.name}.git"

    @property
    def environment(self) -> dict[str, str]:
        """What names it to Mainline."""
        return {
            "MAINLINE_FORGE_API": self.api,
            "MAINLINE_FORGE_TOKEN": self.token,
            "MAINLINE_FORGE_USERNAME": OWNER,
        }

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The API's answer; `path` is relative to the repository, or absolute below the API where it begins with /."""
        url = self.api + (path if path.startswith("/") else f"/repos/{OWNER}/{self.name}/{path}".rstrip("/"))
        headers = {"Authorization": f"token {self.token}", "Content-Type": "application/json"}
        data = json.dumps(body).encode() if body is not None else None
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(url, data, headers, method=method), timeout=30) as answer:
            return json.loads(answer.read() or "null")


@contextmanager
def running() -> Iterator[Server]:
    """Starts Gitea in a folder of its own, with the account; ends it and removes the folder afterwards.

    It runs as an ordinary user, as it wants: started by root, as `nobody`. Of this process's environment it gets PATH
    alone: it writes into the file that GIT_CONFIG_GLOBAL names.
    """
    with tempfile.TemporaryDirectory(prefix="gitea-") as name:
        folder = Path(name)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = Server(f"http://127.0.0.1:{port}/api/v1", "")
        command, options = _prepared(folder, port)
        subprocess.run([*command, "migrate"], check=True, capture_output=True, **options)
        made = subprocess.run([*command, *_ACCOUNT], check=True, capture_output=True, text=True, **options).stdout
        server = replace(server, token=made.split("created...")[-1].split()[-1])
        with (folder / "web.log").open("w") as log:
            process = subprocess.Popen([*command, "web"], stdout=log, stderr=log, **options)
        try:
            _await(server, process, folder / "web.log")
            yield server
        finally:
            process.terminate()
            process.wait(timeout=30)


def _prepared(folder: Path, port: int) -> tuple[list[str], dict[str, Any]]:
    """The command in front of its subcommands, and how it is run."""
    assert GITEA is not None
    binary, static, user = GITEA, STATIC, pwd.getpwuid(os.getuid())
    if os.getuid() == 0:
        # what lies in root's home is not for others to read
        user = pwd.getpwnam("nobody")
        binary, static = str(shutil.copy(GITEA, folder / "gitea")), folder / "static"
        for part in ("templates", "options", "public"):
            shutil.copytree(STATIC / part, static / part)
    ini = folder / "app.ini"
    ini.write_text(_INI.format(user=user.pw_name, work=folder, port=port, static=static, secret=secrets.token_hex(16)))
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "USER": user.pw_name}
    options: dict[str, Any] = {"env": environment, "cwd": folder}
    if os.getuid() == 0:
        for path in (folder, ini):
            os.chown(path, user.pw_uid, user.pw_gid)
        options |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    return [binary, "--config", str(ini)], options


def _await(server: Server, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            server.ask("GET", "/version")
        except (OSError, urllib.error.URLError):
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"Gitea is not up: {log.read_text()[-2000:]}")
