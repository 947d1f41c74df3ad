"""What a person does next with a cluster that was just installed: commands to copy, and where credentials lie.

No secret is printed: the commands read it from the cluster, for who may.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.cluster.secrets import PERSON
from pipelines.cluster.seeding import OWNER, REPOSITORY


@dataclass(frozen=True)
class Page:
    """A page of the cluster that a browser can be led to."""

    name: str
    namespace: str
    service: str
    port: int
    scheme: str = "http"

    def lines(self) -> list[str]:
        """The command that leads to it, and its address then."""
        forward = f"kubectl -n {self.namespace} port-forward svc/{self.service} {self.port}"
        return [f"  {self.name:<12} {forward:<56} {self.scheme}://127.0.0.1:{self.port}"]


PAGES = (
    Page("forge", "forge", "gitea", 3000),
    Page("MLflow", "mainline", "mlflow", 5000),
    Page("Prometheus", "monitoring", "prometheus", 9090),
    Page("workflows", "argo", "argo-server", 2746, "https"),
)

# Not built unless asked for: torch's CUDA build alone is 4.7 GB.
TORCH = "make images IMAGES=trainer-gpu && .venv/bin/python -m pipelines.cluster install"


def next_steps(kubeconfig: Path, pages: Sequence[Page] = PAGES) -> list[str]:
    """The lines that `make cluster` ends with."""
    password = f"kubectl -n forge get secret accounts -o jsonpath='{{.data.{PERSON}}}' | base64 -d; echo"
    return [
        "",
        f"export KUBECONFIG={shlex.quote(str(kubeconfig))}",
        "",
        "pages (each command stays open while you look):",
        *(line for page in pages for line in page.lines()),
        f"  the forge's account is {PERSON}; its password:   {password}",
        "  the workflows' page asks for a token:      echo Bearer $(kubectl -n argo create token argo-server)",
        "",
        "push, and watch it train (with the forge's command above open):",
        f"  git clone http://{PERSON}@127.0.0.1:3000/{OWNER}/{REPOSITORY}.git build/cluster/clone",
        "  cd build/cluster/clone     # change a hyper-parameter in models/diabetes/model.yaml, commit, git push",
        "  kubectl -n training get workflows -w",
        "  (what was never trained is trained now; digits fails until the trainer has torch, 4.7 GB:",
        f"  {TORCH})",
        "",
        "then merge the pull request in the forge, and watch it roll out:",
        "  kubectl -n diabetes-staging get rollouts,analysisruns -w",
        "",
        "gates want requests; these show who answers them (ENV=production later):",
        "  make traffic MODEL=diabetes ENV=staging     # in this checkout",
        "",
        "then propose it for production, and merge that:",
        "  .venv/bin/python -m pipelines.cluster run mainline promote diabetes     # in this checkout",
        "  kubectl -n diabetes-production get rollouts,analysisruns -w",
        "",
        "and see a gate close: this trains a bad version and proposes it; merge it, with requests under way:",
        "  make bad-model CASE=constant-answer-diabetes     # in this checkout",
    ]
