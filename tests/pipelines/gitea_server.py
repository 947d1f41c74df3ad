"""A real Gitea on loopback with one account and one repository, for the tests of what a forge is asked."""

import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CACHE = Path.home() / ".cache/mainline-cluster"
GITEA = shutil.which("gitea", path=f"{os.environ.get('PATH', '')}:{CACHE / 'bin'}")
OWNER, NAME = "robot", "mainline"

_INI = """
APP_NAME = test
RUN_MODE = prod
RUN_USER = {user}
WORK_PATH = {work}
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
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


@dataclass(frozen=True)
class Server:
    """A Gitea that runs: its API's address, and the token of `robot`."""

    api: str
    token: str

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
        url = self.api + (path if path.startswith("/") else f"/repos/{OWNER}/{NAME}/{path}")
        headers = {"Authorization": f"token {self.token}", "Content-Type": "application/json"}
        data = json.dumps(body).encode() if body is not None else None
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(url, data, headers, method=method), timeout=30) as answer:
            return json.loads(answer.read() or "null")


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """Starts Gitea in a folder of its own, with the account; ends it afterwards."""
    assert GITEA is not None
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    user, source = pwd.getpwuid(os.getuid()).pw_name, CACHE / "src/gitea"
    static = source if source.is_dir() else Path("/usr/local/share/gitea")
    ini = folder / "app.ini"
    ini.write_text(_INI.format(user=user, work=folder, port=port, static=static, secret=secrets.token_hex(16)))
    environment = {**os.environ, "HOME": str(folder), "USER": user, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}

    def gitea(*arguments: str) -> str:
        command = [GITEA or "", "--config", str(ini), *arguments]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        return done.stdout

    gitea("migrate")
    made = gitea(
        *("admin", "user", "create", "--username", OWNER, "--password", secrets.token_hex(12)),
        *("--email", "robot@example.org", "--must-change-password=false"),
        *("--access-token", "--access-token-name", "test", "--access-token-scopes", "all"),
    )
    server = Server(f"http://127.0.0.1:{port}/api/v1", made.split("created...")[-1].split()[-1])
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([GITEA, "--config", str(ini), "web"], env=environment, stdout=log, stderr=log)
    try:
        _await(server, process, folder / "log")
        yield server
    finally:
        process.terminate()
        process.wait(timeout=30)


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
