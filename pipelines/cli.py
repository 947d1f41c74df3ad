"""`mainline`: what a person types. Each command parses, calls one module and prints; the work is done there.

Exit codes: 0 done, 1 failed (trying again may help), 2 wrong usage or configuration, 3 refused by a gate or a check.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from models.errors import GateClosed, MainlineError
from pipelines.batch.command import predict

if TYPE_CHECKING:
    from pipelines.rehearsal.rehearse import Request

app = typer.Typer(
    help=__doc__,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document for a script.")]
ModelName = Annotated[str, typer.Argument(help="Name of a folder in models/.", show_default=False)]


def main() -> None:
    """Entry point: an error that Mainline knows is one message and its exit code, never a traceback."""
    try:
        app()
    except MainlineError as error:
        err.print(f"mainline: {error}", style="red", markup=False)
        sys.exit(error.exit_code)


def _show(answer: Mapping[str, object], lines: str, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(answer, indent=2) + "\n")
    else:
        out.print(lines, markup=False, soft_wrap=True)


@app.command()
def new(
    name: Annotated[
        str, typer.Argument(help="Lower-case letters and digits; the same everywhere.", show_default=False)
    ],
    task: Annotated[str, typer.Option(help="classification or regression.")],
    target: Annotated[str, typer.Option(help="The column to predict.")],
    data: Annotated[Path, typer.Option(help="A .csv or .parquet table.", exists=True, dir_okay=False)],
) -> None:
    """Make a working model from a table: its folder, its overlays, its data under DVC.

    Example: mainline new wine --task regression --target quality --data ~/wine.csv
    """
    from pipelines.new import new as make
    from pipelines.source import repository_root

    with err.status(f"reading {data}"):
        made = make(repository_root(Path.cwd()), name=name, task=task, target=target, data_file=data)
    for line in made.notes:
        out.print(f"  {line}", markup=False)
    out.print(
        f"Made models/{name}/ and its overlays. Next:\n"
        f"  git add -A && git commit -m 'models: add {name}'\n  mainline train {name}"
    )


@app.command()
def train(model: ModelName, as_json: AsJson = False) -> None:
    """Train this commit through the rendered workflow; on a clean main it registers and proposes a release.

    Uncommitted changes are trained as they stand, marked as dirty, and refused for release.

    Example: mainline train diabetes
    """
    from pipelines.local import Event
    from pipelines.settings import Settings
    from pipelines.source import current_source, repository_root
    from pipelines.submit import Request, submit

    root = repository_root(Path.cwd())
    source = current_source(root)
    settings = Settings.from_environ(root)
    begin = time.monotonic()
    with err.status(f"training {model} at {source.commit[:12]}") as status:

        def show(event: Event) -> None:
            status.update(f"training {model}: {event.task} {event.status}, {time.monotonic() - begin:.0f} s")
            if event.status not in ("Running", "Omitted"):
                err.print(
                    f"  {event.task}: {event.status} {event.seconds:.1f} s {event.message}".rstrip(), markup=False
                )

        request = Request(model, source.commit, source.branch, dirty=source.dirty)
        result = submit(request, settings, repo=root, application=root, on_event=show)
    answer = {
        "workflow": result.workflow,
        "phase": result.phase,
        "outcome": result.output("register", "outcome"),
        "version": result.output("register", "version"),
        "message": result.message,
        "logs": str(settings.workflows / result.workflow),
    }
    lines = f"{result.workflow}: {result.phase} {answer['outcome']} {answer['version']} {result.message}".rstrip()
    _show(answer, f"{lines}\nlogs: {answer['logs']}", as_json=as_json)
    if result.exit_code:
        raise typer.Exit(result.exit_code)


@app.command()
def changed(
    old: Annotated[str, typer.Argument(help="The commit before; zeros for a new branch.", show_default=False)],
    new: Annotated[str, typer.Argument(help="The commit after.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Which models does a push concern, and why?

    Example: mainline changed HEAD~1 HEAD
    """
    from pipelines.changed import changed_between
    from pipelines.source import repository_root

    changes = changed_between(repository_root(Path.cwd()), old, new)
    lines = [f"{model}  {changes.reasons[model]}" for model in changes.models] or ["nothing to train"]
    _show({"models": list(changes.models), "reasons": dict(changes.reasons)}, "\n".join(lines), as_json=as_json)


@app.command()
def check(
    base: Annotated[str, typer.Argument(help="The branch that would be merged into.", show_default=False)],
    head: Annotated[str, typer.Argument(help="The branch that would be merged.", show_default=False)],
    rehearsed: Annotated[bool, typer.Option("--rehearse", help="Rehearse each of them, one after another.")] = False,
    as_json: AsJson = False,
) -> None:
    """Which overlays does a pull request concern, so that they must be rehearsed, and is a release refused?

    Exit codes besides the usual: 3 refused, or a rehearsal was aborted; 4 one was paused for a person.

    Example: mainline check main propose/production/diabetes/2 --rehearse
    """
    from pipelines.check import concerns
    from pipelines.rehearsal.rehearse import Request
    from pipelines.settings import Settings
    from pipelines.source import repository_root

    root = repository_root(Path.cwd())
    os.environ.update(Settings.from_environ(root).environment())
    found = concerns(root, base, head)
    lines = [
        f"{each.environment} {each.model}: {', '.join(each.changes)}: "
        + (f"refused: {each.refusal}" if each.refusal else f"mainline rehearse {each.model} --env {each.environment}")
        + (f"; warning: {each.warning}" if each.warning else "")
        for each in found
    ]
    _show(
        {"concerns": [asdict(each) for each in found]},
        "\n".join(lines) or "no rollout is concerned: nothing to rehearse",
        as_json=as_json,
    )
    codes = [GateClosed.exit_code if each.refusal else 0 for each in found]
    if rehearsed and not any(codes):
        codes = [
            _rehearsed(root, Request(model=c.model, environment=c.environment, base=base, head=head)) for c in found
        ]
    if any(codes):
        raise typer.Exit(min(code for code in codes if code))  # an abort (3) before a pause (4)


def _rehearsed(root: Path, request: "Request", *, as_json: bool = False) -> int:
    from pipelines.rehearsal.account import exit_code
    from pipelines.rehearsal.rehearse import rehearse as play
    from pipelines.rehearsal.summary import title
    from pipelines.settings import Settings

    played = play(root, request, repo=Settings.from_environ(root).forge_repo, console=err)
    if as_json:
        sys.stdout.write((request.folder(root) / "rehearsal.json").read_text(encoding="utf-8"))
    else:
        _show({}, f"{title(played)}\n{played.reason}\nreport: {request.folder(root) / 'report.html'}", as_json=False)
    return exit_code(played.ending)


@app.command()
def promote(
    model: ModelName,
    to: Annotated[str, typer.Option(help="The environment that is to run what staging runs.")] = "production",
    again: Annotated[bool, typer.Option("--again", help="Another attempt at a version whose rollout aborted.")] = False,
    as_json: AsJson = False,
) -> None:
    """Propose that an environment run what staging runs: a branch with one changed file. Merging it promotes.

    Example: mainline promote diabetes --to production
    then: git fetch && git merge --no-ff origin/propose/production/diabetes/2
    """
    from pipelines.promote import promote as propose
    from pipelines.settings import Settings
    from pipelines.source import repository_root

    root = repository_root(Path.cwd())
    settings = Settings.from_environ(root)
    os.environ.update(settings.environment())
    proposal = propose(settings.forge_repo, model, to=to, again=again)
    _show(
        {"branch": proposal.branch, "commit": proposal.commit, "title": proposal.title},
        f"{proposal.title}\nbranch {proposal.branch}; merge it on the forge to promote,"
        f" or: git fetch && git merge --no-ff origin/{proposal.branch}",
        as_json=as_json,
    )


@app.command()
def image(
    reference: Annotated[str, typer.Argument(help="The serving image by digest, NAME@sha256:...", show_default=False)],
    env: Annotated[str, typer.Option(help="Where.", show_default=False)],
    model: Annotated[list[str] | None, typer.Option(help="Which; default: all that are released there.")] = None,
    as_json: AsJson = False,
) -> None:
    """Propose another serving image: a pull request of its own to each release.yaml, through the same gates.

    Exit code 3: there is one to which none could be proposed.

    Example: mainline image ghcr.io/you/serving@sha256:0f1e... --env staging --model diabetes
    """
    from pipelines.image_proposal import propose_image, running
    from pipelines.settings import Settings
    from pipelines.source import repository_root

    settings = Settings.from_environ(repository_root(Path.cwd()))
    os.environ.update(settings.environment())
    told: dict[str, dict[str, str]] = {}
    for name in model or running(settings.forge_repo, env):
        try:
            proposal = propose_image(settings.forge_repo, name, env, reference)
            told[name] = {"state": proposal.state, "branch": proposal.branch, "commit": proposal.commit}
        except GateClosed as closed:
            told[name] = {"state": "refused", "reason": str(closed)}
    lines = [f"{name}: {said['state']}: {said.get('reason') or said['branch']}" for name, said in told.items()]
    _show({"proposals": told}, "\n".join(lines) or f"nothing is released to {env}", as_json=as_json)
    if any(said["state"] == "refused" for said in told.values()):
        raise typer.Exit(GateClosed.exit_code)


@app.command()
def record(
    model: ModelName,
    version: Annotated[str, typer.Argument(help="The registered version.", show_default=False)],
    env: Annotated[str, typer.Option(help="Where it was rolled out.", show_default=False)],
    ended: Annotated[str, typer.Option(help="completed or aborted.", show_default=False)],
    attempt: Annotated[int, typer.Option(help="Of its release.yaml.", min=1)] = 1,
    reason: Annotated[str, typer.Option(help="Which gate aborted it, and what it saw.")] = "",
) -> None:
    """Note how a version's rollout ended: an aborted one is refused until it walks through the gates again.

    Example: mainline record diabetes 2 --env production --ended aborted --reason "latency: p99 0.31 s"
    """
    from pipelines.settings import Settings
    from pipelines.source import repository_root
    from pipelines.standing import Ending
    from pipelines.standing import record as note

    if ended not in list(Ending):
        raise typer.BadParameter(f"got {ended!r}, must be {' or '.join(Ending)}", param_hint="--ended")
    os.environ.update(Settings.from_environ(repository_root(Path.cwd())).environment())
    noted = note(model, version, env, Ending(ended), attempt=attempt, reason=reason)
    out.print(f"{model} version {version} in {env}: {noted.ending}, attempt {noted.attempt}, {noted.at}", markup=False)


@app.command()
def rehearse(
    model: ModelName,
    env: Annotated[str, typer.Option(help="The overlay whose rollout is rehearsed.")] = "production",
    base: Annotated[str, typer.Option(help="What runs now; default: main.")] = "",
    head: Annotated[str, typer.Option(help="What would run; default: the one open proposal, else these files.")] = "",
    traffic: Annotated[str, typer.Option(help="A capture log to replay; default: held-out rows.")] = "",
    rate: Annotated[float, typer.Option(help="Requests a second.", min=0.1, max=2000)] = 200.0,
    seed: Annotated[int, typer.Option(help="Of the traffic.")] = 1,
    keep: Annotated[bool, typer.Option("--keep", help="Leave logs, volumes and Prometheus' data.")] = False,
    as_json: AsJson = False,
) -> None:
    """Play a rollout on this machine before it is merged: real servers, replayed traffic, the overlay's own gates.

    Exit codes besides the usual: 0 promoted, or nothing to roll out; 3 aborted; 4 paused for a person.

    Example: mainline rehearse diabetes --env production --head propose/production/diabetes/2
    """
    from pipelines.rehearsal.rehearse import Request
    from pipelines.source import repository_root

    root = repository_root(Path.cwd())
    request = Request(
        model=model, environment=env, base=base, head=head, traffic=traffic, rate=rate, seed=seed, keep=keep
    )
    raise typer.Exit(_rehearsed(root, request, as_json=as_json))


@app.command()
def serve(
    model: ModelName,
    env: Annotated[str, typer.Option(help="The overlay whose pod template is run here.")] = "staging",
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 8080,
) -> None:
    """Run what the built overlay says, on this machine, until Ctrl-C.

    Example: mainline serve diabetes --env production --port 8080
    """
    from pipelines.serve import serve as start
    from pipelines.source import repository_root

    with err.status(f"building kustomize/overlays/{env}/{model} and starting its command"):
        server = start(repository_root(Path.cwd()), env, model, port=port)
    out.print(
        f"{model} in {env} answers at {server.url} (docs: {server.url}/docs, digest {server.digest})",
        markup=False,
        soft_wrap=True,
    )
    raise typer.Exit(server.wait())


app.command()(predict)


@app.command()
def lineage(
    what: Annotated[
        str, typer.Argument(help="A server's URL, an MLflow run id or a bundle's digest.", show_default=False)
    ],
    as_json: AsJson = False,
) -> None:
    """From a prediction back to the version, run, commit, data and approver.

    Example: mainline lineage http://127.0.0.1:8080
    """
    from pipelines.settings import Settings
    from pipelines.source import repository_root
    from pipelines.trace import trace

    root = repository_root(Path.cwd())
    os.environ.update(Settings.from_environ(root).environment())
    walk = trace(what, root)
    width = max(map(len, walk))
    _show(walk, "\n".join(f"{name:<{width}}  {value}" for name, value in walk.items()), as_json=as_json)


@app.command()
def lint(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files and folders, - for standard input; none: all overlays.", show_default=False),
    ] = None,
    layout: Annotated[str, typer.Option("--format", help="text, json, sarif or github.")] = "text",
    build: Annotated[bool, typer.Option("--build", help="Build folders that hold a kustomization.")] = False,
    fail_on: Annotated[str, typer.Option(help="The mildest that counts: error, warning or note.")] = "warning",
    explain: Annotated[str, typer.Option(metavar="RULE", help="Explain a rule, or list them: all.")] = "",
) -> None:
    """Find the ways in which the gates of Rollouts and AnalysisTemplates fail open. Exit code 1: there are some.

    Example: mainline lint ~/other/repository --format github
    """
    from pipelines.lint import command
    from pipelines.source import repository_root

    if explain:
        out.print(command.explained(explain), markup=False, soft_wrap=True)
        return
    show, threshold = command.formatter(layout), command.severity(fail_on)
    report = command.lint(Path.cwd() if paths else repository_root(Path.cwd()), paths or [], build=build)
    sys.stdout.write(show(report) + "\n")
    raise typer.Exit(command.exit_code(report, threshold))


@app.command()
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the MLflow UI and the servers up.")] = False,
) -> None:
    """Play the whole loop in build/demo: push trains, merge promotes, a bad model is stopped, revert rolls back.

    Example: mainline demo --keep
    """
    from pipelines.demo import play
    from pipelines.source import repository_root

    play(repository_root(Path.cwd()), keep=keep, console=out)


@app.command(hidden=True)
def hook(event: Annotated[str, typer.Argument()]) -> None:
    """What a bare repository's post-receive hook calls; reads `OLD NEW REF` lines."""
    from pipelines.pushes import post_receive

    if event != "post-receive":
        raise typer.BadParameter(f"got {event!r}, the one hook is 'post-receive'")
    raise typer.Exit(post_receive(sys.stdin, Path.cwd()))


if __name__ == "__main__":
    main()
