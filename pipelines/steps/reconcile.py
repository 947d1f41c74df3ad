"""Makes good what no event told: trainings that main wants, its releases applied, how rollouts ended; by the clock."""

from collections.abc import Callable, Sequence

from pipelines.gitstore import open_store
from pipelines.kube import Cluster, KubeFailed, connect
from pipelines.reconcile_apply import reconcile_apply
from pipelines.reconcile_rollouts import reconcile_rollouts
from pipelines.reconcile_trainings import reconcile_trainings
from pipelines.steps import entry


def reconcile(repo: str, trained_since: str) -> None:
    """Every half is tried, whatever became of the others.

    Raises:
        KubeFailed: a half failed; the next turn tries it again.
    """
    cluster = connect()

    def trainings(cluster: Cluster) -> None:
        with open_store(repo) as store:
            reconcile_trainings(cluster, store, repo, since=trained_since)

    def applied(cluster: Cluster) -> None:
        reconcile_apply(cluster, repo, say=print)

    def rollouts(cluster: Cluster) -> None:
        errors = reconcile_rollouts(cluster, repo, say=print)
        if errors:
            raise KubeFailed("; ".join(str(err) for err in errors))

    halves: dict[str, Callable[[Cluster], None]] = {"trainings": trainings, "apply": applied, "rollouts": rollouts}
    problems = []
    for name, half in halves.items():
        try:
            half(cluster)
        except Exception as err:  # noqa: BLE001  (said below; MLflow's own are of many kinds)
            problems.append(f"{name}: {type(err).__name__}: {err}")
    if problems:
        raise KubeFailed("\n".join(problems))


def main(argv: Sequence[str] | None = None) -> None:
    arguments = entry.parser("reconcile", __doc__)
    entry.flags(arguments, "--repo")
    arguments.add_argument("--trained-since", default="")
    given = arguments.parse_args(argv)
    reconcile(given.repo, given.trained_since)


if __name__ == "__main__":
    raise SystemExit(entry.run(main))
