"""Where the demo plays: build/demo with a bare origin and its hook, a scratch clone, an MLflow store and logs.

Knows folders, environment and git; the scenes that happen in it are in demo.py.
"""

import json
import os
import re
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from models.errors import ConfigError
from models.spec import load_spec
from pipelines.pushes import install_hook
from pipelines.stages import Stage, StageFailed

AUTHOR = ("Ada Author", "ada@example.org")
APPROVER = "Grace Approver <grace@example.org>"
_ANSWER_SECONDS = 10
SLOW = ("PYTHONDONTWRITEBYTECODE",)  # each step would compile MLflow anew: 3 s


@dataclass(frozen=True)
class World:
    """The demo's folders.

    Attributes:
        root: the checkout that the demo was started in; only read.
        folder: build/demo.
    """

    root: Path
    folder: Path

    @property
    def origin(self) -> Path:
        """The bare repository that is pushed to."""
        return self.folder / "origin.git"

    @property
    def clone(self) -> Path:
        """The scratch clone in which the demo's person works."""
        return self.folder / "clone"

    @property
    def tracking_uri(self) -> str:
        """MLflow's store: SQLite."""
        return f"sqlite:///{self.folder / 'mlflow' / 'mlflow.db'}"

    @property
    def settings(self) -> dict[str, str]:
        """The variables that hook, steps and this process share."""
        return {
            "MLFLOW_TRACKING_URI": self.tracking_uri,
            "MAINLINE_ARTIFACT_ROOT": (self.folder / "mlflow" / "artifacts").as_uri(),
            "MAINLINE_HOME": str(self.folder / "state"),
            "MAINLINE_FORGE_REPO": str(self.origin),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "ORT_DISABLE_TELEMETRY": "1",
            "DVC_NO_ANALYTICS": "1",
            # matplotlib and ONNX Runtime would otherwise write to the home folder
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "MPLCONFIGDIR": str(self.folder / "cache" / "matplotlib"),
            "DVC_SITE_CACHE_DIR": str(self.folder / "dvc"),
        }

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment with the demo's settings and author, and without this machine's git settings."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_") and key not in SLOW}
        name, address = AUTHOR
        people = {
            f"GIT_{role}_{part}": value
            for role in ("AUTHOR", "COMMITTER")
            for part, value in (("NAME", name), ("EMAIL", address))
        }
        quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_TERMINAL_PROMPT": "0"}
        return kept | people | quiet | self.settings

    def prepare(self, stage: Stage) -> None:
        """Make the folder anew: origin at this checkout's commit, a clone of it, the hook."""
        if self.folder.exists():
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True)
        (self.folder / "mlflow").mkdir()
        at = self.folder
        run = stage.run
        run(
            ["git", "init", "--quiet", "--bare", "--initial-branch=main", self.origin],
            cwd=at,
            environment=self.environment,
        )
        head: list[str | Path] = ["git", "push", "--quiet", self.origin, "HEAD:refs/heads/main"]
        run(head, cwd=self.root, environment=self.environment)
        install_hook(self.origin, Path(sys.executable), self.settings)
        run(["git", "clone", "--quiet", self.origin, self.clone], cwd=at, environment=self.environment)

    def git(self, stage: Stage, *arguments: str) -> str:
        """What git prints in the clone; its output also goes to the stage's log."""
        return stage.run(["git", *arguments], cwd=self.clone, environment=self.environment)[1].strip()

    def commit_and_push(self, stage: Stage, message: str) -> str:
        """Commit everything in the clone and push main; the hook answers before the push returns. Gives the commit."""
        self.git(stage, "add", "--all")
        self.git(stage, "commit", "--quiet", "--message", message)
        return self.push(stage)

    def push(self, stage: Stage) -> str:
        """Push main and give its commit."""
        self.git(stage, "push", "--quiet", "origin", "main")
        return self.git(stage, "rev-parse", "HEAD")

    def pull(self, stage: Stage) -> None:
        """Bring the clone's main to the origin's."""
        self.git(stage, "pull", "--quiet", "--ff-only", "origin", "main")

    def set_parameter(self, model: str, name: str, value: str) -> str:
        """Change one hyper-parameter in model.yaml, leaving every other byte; gives the former value.

        Raises:
            ConfigError: the file has no such parameter on one line.
        """
        path = self.clone / "models" / model / "model.yaml"
        text = path.read_text()
        pattern = re.compile(rf"(?m)(^parameters:.*?\b{re.escape(name)}: *)([-+.\w]+)", re.DOTALL)
        found = pattern.search(text)
        if found is None:
            raise ConfigError([f"{path}: parameters.{name}: not found; the demo changes this parameter"])
        path.write_text(text[: found.start(2)] + value + text[found.end(2) :])
        return found[2]

    def dvc(self, stage: Stage, *arguments: str) -> None:
        """Run DVC in the clone."""
        stage.run([sys.executable, "-m", "dvc", *arguments], cwd=self.clone, environment=self.environment)

    def new_data(self, stage: Stage, model: str, change: Callable[[Path], None]) -> None:
        """Change a model's table under DVC; the next commit trains on it."""
        self.dvc(stage, "pull", "--quiet")
        change(self.clone / "data" / load_spec(self.clone / "models" / model).data.file)
        self.dvc(stage, "add", "--quiet", "data")
        self.dvc(stage, "push", "--quiet")

    def data_of(self, stage: Stage, commit: str) -> None:
        """Bring back the data version of an earlier commit."""
        self.git(stage, "checkout", "--quiet", commit, "--", "data.dvc")
        self.dvc(stage, "checkout", "--quiet")


def shuffle_column(path: Path, column: str, *, seed: int) -> None:
    """Permute one column of a CSV file: of a target, rows stay valid and their labels mean nothing."""
    import numpy as np
    import pandas as pd

    table = pd.read_csv(path)
    table[column] = np.random.default_rng(seed).permutation(table[column].to_numpy())
    table.to_csv(path, index=False)


def scale_column(path: Path, column: str, factor: float) -> None:
    """Multiply one column of a CSV file, as another unit or another way of measuring does."""
    import pandas as pd

    table = pd.read_csv(path)
    table[column] = (table[column] * factor).round(2)
    table.to_csv(path, index=False)


def ask(url: str, row: Mapping[str, object]) -> dict[str, object]:
    """The server's answer to one row.

    Raises:
        StageFailed: no answer, or a refusal; its text is in the message.
    """
    body = json.dumps(row).encode()
    request = urllib.request.Request(f"{url}/predict", data=body, headers={"Content-Type": "application/json"})  # noqa: S310  (our own loopback address)
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310
            return cast("dict[str, object]", json.load(answer))
    except urllib.error.HTTPError as error:
        raise StageFailed(f"POST {url}/predict: {error.code}: {error.read().decode(errors='replace')}") from error
    except (urllib.error.URLError, TimeoutError) as error:
        raise StageFailed(f"POST {url}/predict: no answer: {error}") from error
