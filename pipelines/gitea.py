"""Pull requests of a repository in Gitea, through its API (v1); see `pull_requests.Forge` for what is promised."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.errors import MainlineError
from pipelines.forge_access import Access
from pipelines.pull_requests import Fate, PullRequest

# Gitea's default mark of a draft; it refuses to merge while the title begins with it.
_DRAFT = "WIP: "
_PAGE, _PAGES = 50, 10
_TIMEOUT_SECONDS = 30


class ForgeFailed(MainlineError):  # noqa: N818  (what happened)
    """The forge did not answer, or refused; its own words are in the message."""


@dataclass(frozen=True)
class Gitea:
    """One repository, `owner/name`, and the account that speaks to it."""

    account: Access
    repository: str

    def newest(self, branch: str, base: str) -> PullRequest | None:
        """The last that was opened for a branch; older ones than the newest 500 are nobody's proposal any more."""
        for page in range(1, _PAGES + 1):
            answer = self._ask("GET", f"pulls?state=all&sort=newest&limit={_PAGE}&page={page}")
            for found in map(_read, answer):
                if (found.branch, found.base) == (branch, base):
                    return found
            if len(answer) < _PAGE:
                break
        return None

    def create(self, branch: str, base: str, title: str, body: str, draft: bool) -> PullRequest:
        """Opens one."""
        return _read(self._ask("POST", "pulls", {"head": branch, "base": base, **_text(title, body, draft)}))

    def change(self, number: int, title: str, body: str, draft: bool) -> PullRequest:
        """Replaces its text."""
        return _read(self._ask("PATCH", f"pulls/{number}", _text(title, body, draft)))

    def close(self, number: int, reason: str) -> None:
        """Closes it; the reason is a comment, made once."""
        said = [comment["body"] for comment in self._ask("GET", f"issues/{number}/comments")]
        if reason not in said:
            self._ask("POST", f"issues/{number}/comments", {"body": reason})
        if self._ask("GET", f"pulls/{number}")["state"] == "open":
            self._ask("PATCH", f"pulls/{number}", {"state": "closed"})

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        url = f"{self.account.api}/repos/{self.repository}/{path}"
        headers = {"Authorization": f"token {self.account.token}", "Content-Type": "application/json"}
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310  (an address of the settings)
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
                return json.loads(answer.read() or "null")
        except urllib.error.HTTPError as err:
            with err:
                said = err.read(1000).decode("utf-8", "replace").strip()
            raise ForgeFailed(f"{method} {url}: {err.code}: {said}") from err
        except (OSError, http.client.HTTPException, ValueError) as err:
            raise ForgeFailed(f"{method} {url}: {err}") from err


def _text(title: str, body: str, draft: bool) -> dict[str, str]:
    return {"title": f"{_DRAFT}{title}" if draft else title, "body": body}


def _read(answer: Mapping[str, Any]) -> PullRequest:
    title = str(answer["title"])
    return PullRequest(
        number=int(answer["number"]),
        fate=Fate.MERGED if answer["merged"] else Fate(answer["state"]),
        # the label is the branch even where it is gone; `ref` is then the pull request's own
        branch=str(answer["head"]["label"]),
        commit=str(answer["head"]["sha"]),
        base=str(answer["base"]["ref"]),
        title=title.removeprefix(_DRAFT),
        body=str(answer["body"]),
        draft=title.startswith(_DRAFT),
        url=str(answer["html_url"]),
    )
