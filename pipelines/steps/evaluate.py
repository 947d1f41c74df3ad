"""Measures a bundle on the held-out rows, beside the champion that git names, and writes numbers and plots."""

from collections.abc import Sequence
from pathlib import Path

from pipelines.evaluation import evaluate
from pipelines.steps import entry


def main(argv: Sequence[str] | None = None) -> None:
    arguments = entry.parser("evaluate", __doc__)
    entry.flags(arguments, "--source", "--data", "--bundle", "--training", "--out", kind=Path)
    entry.flags(arguments, "--model")
    given = arguments.parse_args(argv)
    document = evaluate(
        given.source, given.data, given.model, bundle=given.bundle, training=given.training, out=given.out
    )
    for gate in document["gates"]:
        print(f"{gate['verdict']:>12}  {gate['gate']}: {gate['reason']}")
    print(f"verdict: {document['verdict']}")


if __name__ == "__main__":
    raise SystemExit(entry.run(main))
