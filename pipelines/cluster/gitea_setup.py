"""The development cluster's forge, through its API: accounts, the repository, who may push, and its webhook.

Every function finds what is there and makes what is not, so that an installation can be run again. Gitea answers with
GitHub's words where it can; what differs stays in here.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from pipelines.gitea import ForgeFailed

_SECONDS = 30.0
# A forwarded port of this machine: no proxy leads there.
_DIRECT = build_opener(ProxyHandler({}))
# What the robot does: push branches, open and close pull requests, comment on them.
ROBOT_SCOPES = ("write:repository", "write:issue", "read:user", "read:organization")
# What fetches a commit, and no more.
SOURCE_SCOPES = ("read:repository", "read:user")
PERSON_SCOPES = ("write:repository", "write:issue", "write:user", "write:organization", "write:admin")


@dataclass(frozen=True)
class GiteaSetup:
    """The API as one account, by its password.

    Attributes:
        address: `http://host:port`, as it is reached from here.
    """

    address: str
    user: str
    password: str

    def call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> object:
        """The answer's JSON; None where it is empty or where the thing is not there (404).

        Raises:
            ForgeFailed: any other refusal, with the forge's own words.
        """
        basic = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.address}/api/v1{path}", data, headers, method=method)  # noqa: S310  (http, by our own address)
        try:
            with _DIRECT.open(request, timeout=_SECONDS) as answer:
                text = answer.read()
        except HTTPError as err:
            if err.code == 404:
                return None
            raise ForgeFailed(
                f"forge: {method} {path}: {err.code} {err.read().decode(errors='replace')[:500]}"
            ) from err
        except URLError as err:
            raise ForgeFailed(f"forge: {method} {path}: {err.reason}") from err
        return json.loads(text) if text.strip() else None

    def login_works(self) -> bool:
        """Whether the account exists and has this password."""
        try:
            return self.call("GET", "/user") is not None
        except ForgeFailed as err:
            if ": 401 " in str(err):
                return False
            raise

    def ensure_user(self, name: str, password: str) -> None:
        """An ordinary account; this one must be an administrator's."""
        if self.call("GET", f"/users/{name}") is None:
            wanted = {"username": name, "email": f"{name}@mainline.invalid", "password": password}
            self.call("POST", "/admin/users", {**wanted, "must_change_password": False})

    def ensure_repository(self, owner: str, name: str) -> None:
        """A private repository of an organisation, without a commit."""
        if self.call("GET", f"/orgs/{owner}") is None:
            self.call("POST", "/orgs", {"username": owner, "visibility": "private"})
        if self.call("GET", f"/repos/{owner}/{name}") is None:
            wanted = {"name": name, "private": True, "default_branch": "main", "auto_init": False}
            self.call("POST", f"/orgs/{owner}/repos", wanted)

    def ensure_writer(self, repository: str, name: str) -> None:
        """An account that may push branches and open pull requests."""
        self.call("PUT", f"/repos/{repository}/collaborators/{name}", {"permission": "write"})

    def ensure_protection(self, repository: str, person: str) -> None:
        """`main` is changed by people: the robot proposes, and can neither push to it nor merge its own proposals."""
        wanted = {
            "rule_name": "main",
            "enable_push": True,
            "enable_push_whitelist": True,
            "push_whitelist_usernames": [person],
            "enable_merge_whitelist": True,
            "merge_whitelist_usernames": [person],
            "block_on_outdated_branch": False,
        }
        if self.call("GET", f"/repos/{repository}/branch_protections/main") is None:
            self.call("POST", f"/repos/{repository}/branch_protections", wanted)

    def ensure_webhook(self, repository: str, url: str, secret: str, *, sender: str) -> None:
        """One webhook for pushes to a URL, signed as GitHub signs it, that shows its sender's bearer token too.

        Argo's server reads a signed push as GitHub's own types and refuses Gitea's, whose dates are texts: the token
        is what it knows this forge by.
        """
        hooks = self.call("GET", f"/repos/{repository}/hooks")
        known = [hook["id"] for hook in (hooks if isinstance(hooks, list) else []) if hook["config"]["url"] == url]
        config = {"url": url, "content_type": "json", "secret": secret}
        wanted = {"config": config, "events": ["push"], "active": True, "authorization_header": f"Bearer {sender}"}
        if known:
            self.call("PATCH", f"/repos/{repository}/hooks/{known[0]}", wanted)
        else:
            self.call("POST", f"/repos/{repository}/hooks", {"type": "gitea", **wanted})

    def token(self, name: str, scopes: tuple[str, ...]) -> str:
        """A new access token of this account; a former one of that name ends."""
        self.call("DELETE", f"/users/{self.user}/tokens/{name}")
        made = self.call("POST", f"/users/{self.user}/tokens", {"name": name, "scopes": list(scopes)})
        if not isinstance(made, dict):
            raise ForgeFailed(f"forge: no token for {self.user}")
        return str(made["sha1"])


def token_works(address: str, token: str) -> bool:
    """Whether a token is still one that the forge knows."""
    request = Request(f"{address}/api/v1/user", headers={"Authorization": f"token {token}"})  # noqa: S310
    try:
        with _DIRECT.open(request, timeout=_SECONDS):
            return True
    except HTTPError as err:
        if err.code in (401, 403):
            return False
        raise ForgeFailed(f"forge: GET /user: {err.code}") from err
