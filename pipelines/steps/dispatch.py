"""Submits the trainings that one push concerns; started by the forge's webhook, from the pinned image."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from pipelines.dispatching import orders, submit
from pipelines.gitstore import open_store
from pipelines.kube import connect
from pipelines.pushes import pushed
from pipelines.steps import entry

# Commits of a branch that nearly every push lies within.
_RECENT = 20


def dispatch(before: str, after: str, ref: str, repo: str) -> None:
    """Reads the repository, decides, submits; a tag, a deleted branch or a proposal concerns nothing."""
    for push in pushed([f"{before} {after} {ref}"]):
        # somebody waits for the first step: the client of the API server is loaded while git fetches
        with ThreadPoolExecutor(1) as aside:
            cluster = aside.submit(connect)
            with open_store(repo, recent=_RECENT) as store:
                wanted = orders(store, push, print)
            submit(cluster.result(), wanted, repo, print)


def main(argv: Sequence[str] | None = None) -> None:
    arguments = entry.parser("dispatch", __doc__)
    entry.flags(arguments, "--before", "--after", "--ref", "--repo")
    given = arguments.parse_args(argv)
    dispatch(given.before, given.after, given.ref, given.repo)


if __name__ == "__main__":
    raise SystemExit(entry.run(main))
