"""The forge of the cluster as a person uses it: a clone, commits, pushes, pull requests and their merges (Gitea)."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from tests.e2e.given import SECRET, Cluster
from tests.e2e.reaching import Ways
from tests.e2e.waiting import NotYet, say, until

BASE = "main"
# Of a development cluster's own forge: `main` is theirs, the robot only proposes.
PERSON = "developer"
_PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class PullRequest:
    """One that is open, or was."""

    number: int
    branch: str
    title: str
    body: str
    merged: bool


@dataclass(frozen=True)
class Merged:
    """What a merge made, and when it was asked for (seconds since 1970) and had been done."""

    commit: str
    asked: float
    done: float


class Forge:
    """The repository of the cluster."""

    def __init__(self, cluster: Cluster, ways: Ways, folder: Path) -> None:
        told = cluster.secret("delivery", "mainline-forge")
        self._api = ways.to(told["url"])
        person, self._token = _person(cluster, told)
        remote = urlsplit(ways.to(told["repository"]))
        self.name = remote.path.strip("/").removesuffix(".git")
        who = f"{person}:{self._token}@{remote.netloc}"
        self._remote, self.clone = urlunsplit(remote._replace(netloc=who)), folder
        if not (folder / ".git").is_dir():
            _run("git", "clone", "--quiet", self._remote, str(folder))

    def git(self, *arguments: str) -> str:
        """What git prints in the clone."""
        return _run("git", "-C", str(self.clone), *arguments)

    def pull(self) -> str:
        """The clone as the forge's base is now; its commit."""
        self.git("fetch", "--quiet", "--prune", "origin")
        self.git("checkout", "--quiet", "-B", BASE, f"origin/{BASE}")
        return self.git("rev-parse", "HEAD")

    def commit(self, message: str, files: Mapping[str, str], *, branch: str = BASE) -> str:
        """Commits texts over the base as it is now, on a branch; not yet pushed. The commit."""
        self.pull()
        if branch != BASE:
            self.git("checkout", "--quiet", "-B", branch)
        for path, text in files.items():
            (self.clone / path).write_text(text, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", f"--message={message}")
        return self.git("rev-parse", "HEAD")

    def push(self, branch: str = BASE) -> float:
        """Pushes the clone's head; when it had returned, in seconds since 1970."""
        self.git("push", "--quiet", "--force-with-lease", "origin", f"HEAD:refs/heads/{branch}")
        return time.time()

    def pull_requests(self, state: str = "open") -> list[PullRequest]:
        """Those of a state: open, closed or all; the newest first."""
        found = self._ask("GET", f"pulls?state={state}&limit=50&sort=recentupdate")
        return [_pull_request(each) for each in found]

    def open_pull_request(self, branch: str, title: str, body: str = "") -> PullRequest:
        """Asks to merge a branch into the base; the one that is open already where there is one."""
        asked = {"head": branch, "base": BASE, "title": title, "body": body}

        def look() -> PullRequest:
            same = [each for each in self.pull_requests() if each.branch == branch]
            return same[0] if same else _pull_request(self._ask("POST", "pulls", asked))

        return until(f"a pull request of {branch}", look, seconds=_PATIENCE_SECONDS)

    def wait_pull_request(self, branch: str, *, seconds: float) -> PullRequest:
        """The open one of a branch, once there is one."""

        def look() -> PullRequest:
            found = self.pull_requests()
            for each in found:
                if each.branch == branch:
                    return each
            raise NotYet(f"open are {', '.join(each.branch for each in found) or 'none'}")

        return until(f"pull request {branch}", look, seconds=seconds)

    def merge(self, request: PullRequest) -> Merged:
        """Merges one with a merge commit, as the button does."""
        asked = time.time()

        def look() -> None:
            try:
                self._ask("POST", f"pulls/{request.number}/merge", {"Do": "merge", "delete_branch_after_merge": True})
            except urllib.error.HTTPError as err:
                # the forge looks for conflicts after the request was opened, and says 405 until it has
                if err.code not in (405, 409):
                    raise
                raise NotYet(f"{err.code} {err.read()[:200]!r}") from err

        until(f"merge {request.branch}", look, seconds=_PATIENCE_SECONDS, every=0.3)
        done = time.time()
        say(f"merged #{request.number} {request.title}")
        self.pull()
        return Merged(str(self._ask("GET", f"pulls/{request.number}")["merge_commit_sha"]), asked, done)

    def propose_files(self, branch: str, title: str, files: Mapping[str, str], body: str = "") -> PullRequest:
        """A branch with these texts, and its pull request."""
        self.commit(f"{title}\n\n{body}".strip(), files, branch=branch)
        self.push(branch)
        return self.open_pull_request(branch, title, body)

    def merge_files(self, branch: str, title: str, files: Mapping[str, str]) -> Merged:
        """The same, and the merge of it."""
        return self.merge(self.propose_files(branch, title, files))

    def revert(self, commit: str, *, push: bool = True) -> Merged:
        """Reverts a merge on the base, and pushes."""
        self.pull()
        parents = self.git("show", "--no-patch", "--format=%P", commit).split()
        self.git("revert", "--no-edit", *(["--mainline", "1"] if len(parents) > 1 else []), commit)
        asked = time.time()
        done = self.push() if push else asked
        return Merged(self.git("rev-parse", "HEAD"), asked, done)

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        headers = {"Authorization": f"token {self._token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        url = f"{self._api}/repos/{self.name}/{path}"
        request = urllib.request.Request(url, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS) as answer:
            text = answer.read()
        return json.loads(text) if text else None


def _person(cluster: Cluster, robot: Mapping[str, str]) -> tuple[str, str]:
    """Who pushes and merges, and a token: the person of the cluster's own forge, else whom it gave a token."""
    if cluster.kube.get(SECRET, "accounts", "forge") is None:
        return robot["username"], robot["token"]
    return PERSON, cluster.secret("forge", "accounts")[f"{PERSON}-token"]


def _pull_request(found: Mapping[str, Any]) -> PullRequest:
    return PullRequest(
        int(found["number"]), found["head"]["ref"], found["title"], found["body"] or "", bool(found["merged"])
    )


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{' '.join(command[:6])}: {done.stderr.strip()[:2000]}"
    return done.stdout.strip()
