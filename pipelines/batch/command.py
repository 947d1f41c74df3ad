"""`mainline predict`: parses, calls `pipelines.batch.run` and prints."""

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from pipelines.local import Event, Result

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def predict(
    model: Annotated[str, typer.Argument(help="Name of a folder in models/.", show_default=False)],
    source: Annotated[str, typer.Option("--input", help="Folder or file of Parquet or CSV rows, a path or a URI.")],
    output: Annotated[str, typer.Option(help="Folder that predictions go to, a path or a URI.")],
    env: Annotated[str, typer.Option(help="Whose release predicts.")] = "production",
    version: Annotated[str, typer.Option(help="A registered version, in place of a release.")] = "",
    keep: Annotated[str, typer.Option(help="Columns that go along, between commas, such as an id; * for all.")] = "",
    refused: Annotated[str, typer.Option(help="Rows that the model refuses: fail, or set-aside.")] = "fail",
    layout: Annotated[str, typer.Option("--format", help="Of the predictions: parquet or csv.")] = "parquet",
    workers: Annotated[int, typer.Option(help="Processes that share the files; 0 for one a processor.", min=0)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document for a script.")] = False,
) -> None:
    """Predict files of rows, each exactly once: run again, it does what is new, changed or was interrupted.

    Exit codes besides the usual: 3 files were refused; all others are done.

    Example: mainline predict diabetes --input visits/ --output predictions/ --keep patient
    """
    from pipelines.batch.run import Request, run
    from pipelines.settings import Settings
    from pipelines.source import repository_root

    _one_of("--refused", refused, ("fail", "set-aside"))
    _one_of("--format", layout, ("parquet", "csv"))
    root = repository_root(Path.cwd())
    settings = Settings.from_environ(root)
    os.environ.update(settings.environment())
    request = Request(model, source, output, env, version, keep, refused, layout, workers or os.cpu_count() or 1)
    begin = time.monotonic()
    with err.status(f"predicting {source} with {model}") as status:

        def show(event: "Event") -> None:
            status.update(f"predicting: {event.task} {event.status}, {time.monotonic() - begin:.0f} s")
            if event.status not in ("Running", "Omitted"):
                line = f"  {event.task}: {event.status} {event.seconds:.1f} s {event.message}".rstrip()
                err.print(line, markup=False, soft_wrap=True)

        result, summary = run(root, request, settings, on_event=show)
    _told(result, summary, str(settings.workflows / result.workflow), as_json=as_json)


def _told(result: "Result", summary: dict[str, Any], logs: str, *, as_json: bool) -> None:
    from pipelines.batch.summary import left_over_told

    if as_json:
        sys.stdout.write(json.dumps({"phase": result.phase, "message": result.message, "logs": logs, **summary}) + "\n")
    elif summary:
        done = "{model} version {version}: {files} files, {predicted} predicted now, {skipped} done before".format(
            **summary
        )
        rows = "{rows:,} rows, {refused_rows:,} of them set aside; {rows_per_second:,.0f} rows/s".format(**summary)
        out.print(f"{done}; {rows}\n{summary['output']}", markup=False, soft_wrap=True)
        for line in left_over_told(summary["left_over"]):
            err.print(line, style="yellow", markup=False, soft_wrap=True)
    if result.exit_code:
        err.print(f"{result.message}\nlogs: {logs}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(result.exit_code)


def _one_of(flag: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise typer.BadParameter(f"got {value!r}, must be {' or '.join(known)}", param_hint=flag)
