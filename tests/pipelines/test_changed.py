"""What a push concerns, rule by rule."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import grimp
import pytest
import yaml

from models.errors import ConfigError
from models.spec import ModelSpec
from pipelines.changed import ZEROS, Changes, GitTree, changed, changed_between
from pipelines.training_code import is_shared

ROOT = Path(__file__).resolve().parents[2]
STORE = ".dvc/store/files/md5"
CONFIG = "[core]\n    remote = store\n['remote \"store\"']\n    url = store\n"


class Files:
    """A tree of a mapping."""

    def __init__(self, content: Mapping[str, str]) -> None:
        self.content = dict(content)

    def blobs(self) -> Mapping[str, str]:
        return self.content

    def read(self, path: str) -> bytes:
        return self.content[path].encode()


def model(file: str, **more: object) -> str:
    spec = {"owner": "a", "data": {"file": file}, "parameters": {"alpha": 1}, "training": {"resources": "small"}}
    return yaml.safe_dump({**spec, **more})


def gates(limit: float, online: float = 1) -> str:
    return yaml.safe_dump({"kind": "Gates", "spec": {"offline": {"limit": limit}, "online": {"p99": online}}})


def data(md5: str, **files: str) -> dict[str, str]:
    entries = [{"relpath": f"{name}.csv", "md5": value} for name, value in files.items()]
    pointer = yaml.safe_dump({"outs": [{"md5": f"{md5}.dir", "path": "data"}]})
    return {"data.dvc": pointer, f"{STORE}/{md5[:2]}/{md5[2:]}.dir": json.dumps(entries)}


BASE = {
    "models/iris/model.yaml": model("iris.csv"),
    "models/iris/train.py": "1",
    "models/iris/gates.yaml": gates(1),
    "models/diabetes/model.yaml": model("diabetes.csv"),
    "models/diabetes/train.py": "1",
    ".dvc/config": CONFIG,
    **data("aa11", iris="1", diabetes="1"),
}


def push(*gone: str, **files: str) -> Changes:
    after = {**BASE, **{path.replace("__", "/"): text for path, text in files.items()}}
    return changed(Files(BASE), Files({path: text for path, text in after.items() if path not in gone}))


@pytest.mark.parametrize(
    ("path", "text", "models"),
    [
        ("models/iris/train.py", "2", ("iris",)),
        ("models/iris/layers.py", "new", ("iris",)),
        ("models/iris/model.yaml", model("iris.csv", parameters={"alpha": 2}), ("iris",)),
        ("models/iris/model.yaml", model("iris.csv", training={"resources": "gpu"}), ("iris",)),
        ("models/iris/model.yaml", "a: [", ("iris",)),
        ("models/iris/model.yaml", model("iris.csv", owner="b"), ()),
        ("models/iris/model.yaml", model("iris.csv", serving={"max_rows": 3}), ()),
        ("models/iris/model.yaml", model("iris.csv", training={"resources": "small", "schedule": "0 1 * * *"}), ()),
        ("models/iris/gates.yaml", gates(2), ("iris",)),
        ("models/iris/gates.yaml", gates(1, online=2), ()),
        ("models/iris/gates.yaml", "kind: Gates", ("iris",)),
        ("models/iris/MODEL_CARD.md", "new", ()),
        ("models/iris/kustomization.yaml", "new", ()),
        ("models/wine/model.yaml", model("wine.csv"), ("wine",)),
        ("models/rows.py", "new", ("diabetes", "iris")),
        ("pipelines/export.py", "new", ("diabetes", "iris")),
        ("pipelines/steps/train.py", "new", ("diabetes", "iris")),
        ("pipelines/some_new_module.py", "new", ("diabetes", "iris")),
        ("manifests/workflows/workflowtemplate-train-small.yaml", "new", ("diabetes", "iris")),
        ("manifests/workflows/workflowtemplate-batch-predict.yaml", "new", ()),
        ("pipelines/batch/work.py", "new", ()),
        ("pipelines/steps/batch_predict.py", "new", ()),
        ("pipelines/rehearsal/simulate/pool.py", "new", ()),
        ("pipelines/cli.py", "new", ()),
        ("pipelines/steps/register.py", "new", ()),
        ("kustomize/overlays/staging/iris/release.yaml", "new", ()),
        ("manifests/serving/rollout.yaml", "new", ()),
        ("services/serving/app.py", "new", ()),
        ("tests/test_x.py", "new", ()),
        ("README.md", "new", ()),
    ],
)
def test_a_file_concerns(path: str, text: str, models: tuple[str, ...]) -> None:
    assert push(**{path: text}).models == models


def test_data_concerns_the_models_that_read_the_file() -> None:
    changes = push(**data("bb22", iris="1", diabetes="2"))
    assert changes.reasons == {"diabetes": "data: diabetes.csv changed"}


def test_data_that_was_only_added_to_concerns_nobody() -> None:
    assert push(**data("bb22", iris="1", diabetes="1", wine="1")).models == ()


def test_manifest_that_cannot_be_read_concerns_all_and_says_so() -> None:
    changes = push(**{"data.dvc": data("cc33")["data.dvc"]})
    assert changes.models == ("diabetes", "iris")
    assert "dvc push" in changes.reasons["iris"]


def test_deleted_model_is_not_trained_and_said() -> None:
    changes = push("models/iris/model.yaml", "models/iris/train.py", "models/iris/gates.yaml")
    assert (changes.models, changes.notes) == ((), ("iris: deleted, not trained",))


def test_training_half_leaves_out_what_the_schema_leaves_out() -> None:
    from pipelines.changed import _training_half

    raw = yaml.safe_load((ROOT / "models/diabetes/model.yaml").read_text())
    raw["training"]["schedule"] = "0 1 * * *"
    half, ours = ModelSpec.model_validate(raw).training_half(), _training_half(raw)
    assert set(ours) <= set(half)
    assert not {"owner", "description", "serving"} & set(half)
    assert "schedule" not in half["training"]
    assert "schedule" not in ours["training"]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", "-b", "main", str(tmp_path)], check=True)
    for path, text in BASE.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    commit(tmp_path, "base")
    return tmp_path


def commit(repo: Path, message: str) -> str:
    subprocess.run(["git", "-C", str(repo), "add", "-A"], check=True)
    subprocess.run(["git", "-C", str(repo), "commit", "-qm", message], check=True)
    head = subprocess.run(["git", "-C", str(repo), "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return head.stdout.strip()


def test_commits_are_compared(repo: Path) -> None:
    (repo / "models/iris/train.py").write_text("2")
    new = commit(repo, "iris: change")
    assert changed_between(repo, f"{new}~1", new).models == ("iris",)
    assert GitTree(repo, new).read("models/iris/train.py") == b"2"


@pytest.mark.parametrize(
    ("old", "reason"), [(ZEROS, "new branch"), ("d" * 40, "is unknown here")], ids=["new branch", "unknown"]
)
def test_without_a_past_all_are_concerned(repo: Path, old: str, reason: str) -> None:
    changes = changed_between(repo, old, "HEAD")
    assert changes.models == ("diabetes", "iris")
    assert all(reason in why for why in changes.reasons.values())


def test_forced_push_concerns_all(repo: Path) -> None:
    (repo / "README.md").write_text("1")
    former = commit(repo, "a")
    subprocess.run(["git", "-C", str(repo), "commit", "-q", "--amend", "-m", "b"], check=True)
    assert "forced push" in changed_between(repo, former, "HEAD").reasons["iris"]


def test_unknown_new_commit_is_refused(repo: Path) -> None:
    with pytest.raises(ConfigError, match="fetch it first"):
        changed_between(repo, "HEAD", "e" * 40)


def test_every_module_that_training_imports_is_shared_training_code() -> None:
    graph = grimp.build_graph("pipelines", "models", cache_dir=None)
    for step in ("validate_data", "train", "evaluate"):
        module = f"pipelines.steps.{step}"
        imported = {module, *graph.find_upstream_modules(module)}
        files = {name.replace(".", "/") + ".py" for name in imported}
        assert {file for file in files if (ROOT / file).exists() and not is_shared(file)} == set()
