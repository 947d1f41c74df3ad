"""Fills a development cluster: data to its store, this checkout to its forge, the webhook between forge and Argo.

Stores and forge are reached by `kubectl port-forward`, which works wherever the cluster is.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from models.errors import MainlineError
from pipelines.build import build_overlay
from pipelines.cluster import secrets
from pipelines.cluster.buckets import holds
from pipelines.cluster.gitea_setup import PERSON_SCOPES, ROBOT_SCOPES, SOURCE_SCOPES, GiteaSetup, token_works
from pipelines.cluster.kubectl import Kubectl
from pipelines.cluster.secrets import PERSON, ROBOT, Store
from pipelines.cluster.seed_commit import seed
from pipelines.data import data_md5

Say = Callable[[str], None]
OWNER = REPOSITORY = "mainline"
_HERE = "127.0.0.1"  # forwarded ports are this machine's: no proxy leads there
_DATA = "mainline-data"
EVENTS = "https://argo-server.argo.svc:2746/api/v1/events/delivery/push"
_AUTHOR = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", PERSON), ("EMAIL", f"{PERSON}@mainline.invalid"))
}


class SeedingFailed(MainlineError):  # noqa: N818  (what happened)
    """A command of git or DVC refused; the message is its own."""


@dataclass(frozen=True)
class Accounts:
    """The forge's accounts: their passwords, and tokens once they were made; `source` may only read."""

    person_password: str
    robot_password: str
    person_token: str = ""
    robot_token: str = ""
    source_token: str = ""


def ensure_accounts(kubectl: Kubectl, address: str, accounts: Accounts) -> Accounts:
    """Both accounts with tokens that work.

    Args:
        address: the forge, as it is reached from here.
    """
    person = GiteaSetup(address, PERSON, accounts.person_password)
    if not person.login_works():
        # the first account can only be made beside the forge; its password goes through standard input
        script = (
            "read -r password; exec gitea --config=/etc/gitea/app.ini admin user create --admin"
            f' --username={PERSON} --email={PERSON}@mainline.invalid --password="$password"'
            " --must-change-password=false"
        )
        command = ("-n", "forge", "exec", "-i", "deploy/gitea", "--", "sh", "-c", script)
        kubectl.run(*command, given=f"{accounts.person_password}\n")
    person.ensure_user(ROBOT, accounts.robot_password)
    robot = GiteaSetup(address, ROBOT, accounts.robot_password)
    return Accounts(
        accounts.person_password,
        accounts.robot_password,
        _token(person, accounts.person_token, "mainline", PERSON_SCOPES),
        _token(robot, accounts.robot_token, "mainline", ROBOT_SCOPES),
        _token(robot, accounts.source_token, "source", SOURCE_SCOPES),
    )


def ensure_repository(
    address: str, accounts: Accounts, webhook_secret: str, *, sender: str, push: Callable[[str], None]
) -> None:
    """The repository with its writers, its rules and its webhook; an empty one is filled first.

    Args:
        sender: bearer token that the webhook shows.
        push: fills the repository at a URL; its commit starts nothing, since the webhook comes after it.
    """
    person = GiteaSetup(address, PERSON, accounts.person_password)
    name = f"{OWNER}/{REPOSITORY}"
    person.ensure_repository(OWNER, REPOSITORY)
    person.ensure_writer(name, ROBOT)
    if person.call("GET", f"/repos/{name}/branches/main") is None:
        push(f"{address}/{name}.git")
    person.ensure_protection(name, PERSON)
    person.ensure_webhook(name, EVENTS, webhook_secret, sender=sender)


def push_checkout(root: Path, url: str, accounts: Accounts, *, serving: str, keda: bool, say: Say) -> str:
    """Pushes HEAD of a checkout, with the one commit that makes it the cluster's, as `main`; returns that commit.

    Raises:
        SeedingFailed: git refused.
        ConfigError: an overlay does not build afterwards.
    """
    if _git(root, "status", "--porcelain", "--untracked-files=no"):
        say("this checkout has changes that no commit holds: the cluster gets HEAD without them")
    with tempfile.TemporaryDirectory(prefix="mainline-seed-") as scratch:
        tree = Path(scratch) / "mainline"
        _git(root, "clone", "--quiet", "--no-hardlinks", str(root), str(tree))
        message = seed(tree, serving=serving, keda=keda)
        for overlay in sorted((tree / "kustomize" / "overlays").glob("*/*")):
            build_overlay(tree, overlay.parent.name, overlay.name)
        _git(tree, "commit", "--quiet", "--all", "--file=-", given=message, environment=_AUTHOR)
        _git(tree, "push", "--quiet", url, "HEAD:refs/heads/main", environment=_credentials(accounts.person_password))
        commit = _git(tree, "rev-parse", "HEAD")
    say("forge: main is this checkout's HEAD and one commit: images by digest, data in the object store, and component")
    say("  rehearsal on every overlay, so that a rollout takes a minute (the same gates with the same thresholds)")
    return commit


def push_data(root: Path, store: Store, address: str, *, say: Say) -> None:
    """`dvc push` of the data that HEAD pins to the bucket `mainline-data`.

    Args:
        address: where the store answers from here.
    """
    md5 = data_md5(root)
    # a folder's list is pushed after its files
    if holds(store, address, _DATA, f"files/md5/{md5[:2]}/{md5[2:]}"):
        return
    with tempfile.TemporaryDirectory(prefix="mainline-data-") as scratch:
        tree = Path(scratch) / "mainline"
        _git(root, "clone", "--quiet", "--no-hardlinks", str(root), str(tree))
        environment = {
            **os.environ,
            **secrets.object_store(store),
            "AWS_ENDPOINT_URL": address,
            "NO_PROXY": _HERE,
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(Path(scratch) / "site"),
        }
        _dvc(tree, environment, "pull")
        _dvc(tree, environment, "remote", "add", "--local", "cluster", f"s3://{_DATA}")
        _dvc(tree, environment, "push", "--remote", "cluster")
    say(f"store: the data of data.dvc are in s3://{_DATA}")


def _token(account: GiteaSetup, known: str, name: str, scopes: tuple[str, ...]) -> str:
    return known if known and token_works(account.address, known) else account.token(name, scopes)


def _credentials(password: str) -> dict[str, str]:
    """git's environment for a push over http: neither its arguments nor a file holds the password."""
    helper = '!f() { echo "username=$MAINLINE_USER"; echo "password=$MAINLINE_PASSWORD"; }; f'
    settings = {"credential.helper": helper, "core.hooksPath": os.devnull}
    environment = {"GIT_CONFIG_COUNT": str(len(settings)), "GIT_TERMINAL_PROMPT": "0", "NO_PROXY": _HERE}
    for number, (key, value) in enumerate(settings.items()):
        environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return {**environment, "MAINLINE_USER": PERSON, "MAINLINE_PASSWORD": password}


def _git(tree: Path, *arguments: str, given: str | None = None, environment: Mapping[str, str] | None = None) -> str:
    return _run(["git", "-C", str(tree), *arguments], given, {**os.environ, **(environment or {})})


def _dvc(tree: Path, environment: Mapping[str, str], *arguments: str) -> str:
    return _run([sys.executable, "-m", "dvc", "--cd", str(tree), *arguments], None, environment)


def _run(command: list[str], given: str | None, environment: Mapping[str, str]) -> str:
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, env=dict(environment))
    if done.returncode != 0:
        raise SeedingFailed(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()
