"""Fits the model of a commit on its training rows and writes the bundle; talks to nobody but its checkpoint store."""

from collections.abc import Sequence
from pathlib import Path

from pipelines.lineage import Origin
from pipelines.steps import entry
from pipelines.training import train


def main(argv: Sequence[str] | None = None) -> None:
    arguments = entry.parser("train", __doc__)
    entry.flags(arguments, "--source", "--data", "--out-bundle", "--out-training", kind=Path)
    entry.flags(arguments, "--model", "--commit", "--data-md5", "--run-id", "--workflow", "--image", "--checkpoints")
    arguments.add_argument("--dirty", type=entry.truth, default=False)
    given = arguments.parse_args(argv)
    origin = Origin(
        model=given.model,
        commit=given.commit,
        branch="",
        data_md5=given.data_md5,
        workflow=given.workflow,
        image=given.image,
        dirty=given.dirty,
    )
    digest = train(
        given.source,
        given.data,
        origin,
        run_id=given.run_id,
        checkpoints=given.checkpoints,
        out_bundle=given.out_bundle,
        out_training=given.out_training,
    )
    print(f"bundle: {digest}")


if __name__ == "__main__":
    raise SystemExit(entry.run(main))
