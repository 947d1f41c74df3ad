"""Where Mainline keeps its state and what it speaks to, read once from the environment by the command line."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from os import environ as process_environment
from pathlib import Path
from urllib.parse import urlsplit

from models.errors import ConfigError

_TRACKING = ("sqlite", "http", "https", "postgresql", "mysql")
_STORES = ("file", "s3", "gs")


@dataclass(frozen=True)
class Settings:
    """Everything that varies by machine.

    Attributes:
        home: folder of this machine's state: queue/, workflows/, checkpoints/, serving/.
        tracking_uri: MLflow's store.
        artifact_root: where bundles are kept.
        forge_repo: URL or path of the repository that proposals go to.
    """

    home: Path
    tracking_uri: str
    artifact_root: str
    forge_repo: str

    @property
    def workflows(self) -> Path:
        """One folder a workflow: outputs, logs, the commit's tree."""
        return self.home / "workflows"

    @property
    def queue(self) -> Path:
        """Pushes that wait, and what became of the others."""
        return self.home / "queue"

    @property
    def checkpoints(self) -> str:
        """URI under which trainings keep their checkpoints."""
        return f"file://{self.home / 'checkpoints'}"

    def environment(self) -> dict[str, str]:
        """The same, as a process started from here reads it."""
        return {
            "MAINLINE_HOME": str(self.home),
            "MLFLOW_TRACKING_URI": self.tracking_uri,
            "MAINLINE_ARTIFACT_ROOT": self.artifact_root,
            "MAINLINE_FORGE_REPO": self.forge_repo,
        }

    @classmethod
    def from_environ(cls, root: Path, environ: Mapping[str, str] = process_environment) -> "Settings":
        """What the environment says; what it leaves out lies in `root`/build, and proposals go to the remote `origin`.

        Raises:
            ConfigError: values that cannot be used, all of them at once.
        """
        problems = []
        home = Path(environ.get("MAINLINE_HOME") or root / "build" / "home")
        if not home.is_absolute():
            problems.append(f"environment: MAINLINE_HOME: got {home}, must be an absolute path")
        tracking = environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home / 'mlflow.db'}"
        store = environ.get("MAINLINE_ARTIFACT_ROOT") or f"file://{home / 'artifacts'}"
        for name, uri, schemes in (
            ("MLFLOW_TRACKING_URI", tracking, _TRACKING),
            ("MAINLINE_ARTIFACT_ROOT", store, _STORES),
        ):
            if urlsplit(uri).scheme.split("+")[0] not in schemes:
                problems.append(f"environment: {name}: got {uri}, must be a URI with one of {', '.join(schemes)}")
        if problems:
            raise ConfigError(problems)
        return cls(home, tracking, store.rstrip("/"), environ.get("MAINLINE_FORGE_REPO") or _origin(root))


def _origin(root: Path) -> str:
    """The URL of `origin`, or the repository itself where it has none."""
    asked = subprocess.run(
        ["git", "-C", str(root), "config", "--get", "remote.origin.url"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or str(root)
