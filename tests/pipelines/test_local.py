"""The local executor on tiny templates: what it promises to a person who kills it, and what it refuses."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from models.errors import ConfigError
from pipelines.expressions import holds
from pipelines.local import Event, Result, run_workflow
from pipelines.workflow_template import MEANINGLESS_HERE, read_template

Step = dict[str, Any]
Run = Callable[..., Result]
WRITE = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])"


def step(name: str, code: str, *args: str, outputs: Step | None = None, **more: Any) -> Step:
    return {
        "name": name,
        "container": {"image": "unused", "command": ["python", "-c"], "args": [code, *args]},
        **({"outputs": outputs} if outputs else {}),
        **more,
    }


def document(tasks: list[Step], templates: list[Step], **spec: Any) -> Step:
    dag = {"name": "main", "dag": {"tasks": tasks}}
    spec = {"entrypoint": "main", "templates": [dag, *templates], **spec}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "metadata": {"name": "t"}, "spec": spec}


def out(name: str) -> Step:
    return {"parameters": [{"name": name, "valueFrom": {"path": f"/outputs/{name}"}}]}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def start(content: Step, *, name: str = "w", repo: Path = tmp_path, **parameters: str) -> Result:
        file = tmp_path / "template.yaml"
        file.write_text(yaml.safe_dump(content))
        return run_workflow(file, parameters, name=name, work=tmp_path / "work", repo=repo)

    return start


def test_parameters_and_artifacts_pass_between_tasks(run: Run) -> None:
    make = step(
        "make",
        "import sys, pathlib as p\nf = p.Path(sys.argv[1]); f.mkdir(); (f / 'x').write_text(sys.argv[3])\n"
        "p.Path(sys.argv[2]).write_text('42\\n')",
        "{{outputs.artifacts.data.path}}",
        "{{outputs.parameters.count.path}}",
        "{{workflow.parameters.word}} of {{workflow.name}}",
        outputs={**out("count"), "artifacts": [{"name": "data", "path": "/outputs/data"}]},
    )
    use = step(
        "use",
        "import sys, pathlib as p; p.Path(sys.argv[1]).write_text(p.Path(sys.argv[2], 'x').read_text() + sys.argv[3])",
        "{{outputs.parameters.seen.path}}",
        "{{inputs.artifacts.data.path}}",
        " {{inputs.parameters.count}}",
        inputs={"parameters": [{"name": "count"}], "artifacts": [{"name": "data", "path": "/inputs/data"}]},
        outputs=out("seen"),
    )
    arguments = {
        "parameters": [{"name": "count", "value": "{{tasks.make.outputs.parameters.count}}"}],
        "artifacts": [{"name": "data", "from": "{{tasks.make.outputs.artifacts.data}}"}],
    }
    tasks: list[Step] = [
        {"name": "make", "template": "make"},
        {"name": "use", "template": "use", "depends": "make", "arguments": arguments},
    ]
    result = run(document(tasks, [make, use], arguments={"parameters": [{"name": "word"}]}), word="rows")
    assert (result.phase, result.output("use", "seen")) == ("Succeeded", "rows of w 42")


def test_independent_tasks_run_side_by_side(run: Run, tmp_path: Path) -> None:
    meet = (
        "import sys, time, pathlib as p\np.Path(sys.argv[1]).touch()\n"
        "for _ in range(200):\n    if p.Path(sys.argv[2]).exists(): sys.exit(0)\n    time.sleep(0.02)\nsys.exit(1)"
    )
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    tasks = [{"name": "a", "template": "a"}, {"name": "b", "template": "b"}]
    assert run(document(tasks, [step("a", meet, a, b), step("b", meet, b, a)])).phase == "Succeeded"


@pytest.mark.parametrize(("verdict", "ran"), [("pass", "train"), ("fail", "refuse"), ("", "refuse")])
def test_when_decides_which_branch_runs(run: Run, verdict: str, ran: str) -> None:
    judge = step("judge", WRITE, "{{outputs.parameters.verdict.path}}", verdict, outputs=out("verdict"))
    said = "'{{tasks.judge.outputs.parameters.verdict}}'"
    tasks: list[Step] = [
        {"name": "judge", "template": "judge"},
        {"name": "train", "template": "ok", "depends": "judge.Succeeded", "when": f"{said} == 'pass'"},
        {"name": "refuse", "template": "ok", "depends": "judge.Succeeded", "when": f"{said} != 'pass'"},
        {"name": "after", "template": "ok", "depends": "train.Succeeded"},
        {"name": "lenient", "template": "ok", "depends": "train"},
    ]
    result = run(document(tasks, [judge, step("ok", "")]))
    statuses = {name: outcome.status for name, outcome in result.tasks.items()}
    assert statuses[ran] == "Succeeded"
    assert statuses[{"train": "refuse", "refuse": "train"}[ran]] == "Skipped"
    assert statuses["after"] == ("Succeeded" if ran == "train" else "Omitted")
    assert statuses["lenient"] == "Succeeded"  # a bare name takes Skipped for done, as Argo does


def test_failed_task_omits_what_follows_and_exit_handler_sees_the_status(run: Run, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    bye = step("bye", WRITE, str(seen), "{{workflow.status}} {{workflow.outputs.parameters.run-id}}")
    tasks: list[Step] = [
        {"name": "bad", "template": "bad"},
        {"name": "next", "template": "ok", "dependencies": ["bad"]},
    ]
    result = run(document(tasks, [step("bad", "raise SystemExit(3)"), step("ok", ""), bye], onExit="bye"))
    assert (result.phase, result.exit_code, result.tasks["next"].status) == ("Failed", 3, "Omitted")
    assert "bad: exit code 3" in result.message
    assert seen.read_text() == "Failed {{workflow.outputs.parameters.run-id}}"  # as Argo leaves it


def test_exit_handler_reads_a_global_output(run: Run, tmp_path: Path) -> None:
    outputs = {"parameters": [{"name": "id", "globalName": "run-id", "valueFrom": {"path": "/outputs/id"}}]}
    start = step("start", WRITE, "{{outputs.parameters.id.path}}", "r1", outputs=outputs)
    bye = step("bye", WRITE, str(tmp_path / "seen"), "{{workflow.outputs.parameters.run-id}}")
    run(document([{"name": "start", "template": "start"}], [start, bye], onExit="bye"))
    assert (tmp_path / "seen").read_text() == "r1"


def test_handled_failure_does_not_fail_the_workflow(run: Run) -> None:
    tasks: list[Step] = [
        {"name": "bad", "template": "bad"},
        {"name": "mend", "template": "ok", "depends": "bad.Failed"},
    ]
    assert run(document(tasks, [step("bad", "raise SystemExit(1)"), step("ok", "")])).phase == "Succeeded"


@pytest.mark.parametrize(("code", "tries"), [(1, 3), (2, 1), (3, 1)])
def test_retries_repeat_failures_and_never_refusals(run: Run, tmp_path: Path, code: int, tries: int) -> None:
    note = tmp_path / "tries"
    retry = {"limit": "2", "retryPolicy": "Always", "expression": 'lastRetry.exitCode not in ["2", "3"]'}
    bad = step("bad", f"open({str(note)!r}, 'a').write('x'); raise SystemExit({code})", retryStrategy=retry)
    assert run(document([{"name": "bad", "template": "bad"}], [bad])).exit_code == code
    assert len(note.read_text()) == tries


def test_backoff_waits_between_tries(run: Run) -> None:
    retry = {"limit": "2", "retryPolicy": "Always", "backoff": {"duration": "100ms", "factor": "2"}}
    result = run(document([{"name": "b", "template": "b"}], [step("b", "raise SystemExit(1)", retryStrategy=retry)]))
    assert result.seconds > 0.3


def test_deadline_ends_the_whole_process_group(run: Run, tmp_path: Path) -> None:
    child = tmp_path / "child"
    code = (
        "import subprocess, sys, time\n"
        "c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(child)!r}, 'w').write(str(c.pid)); time.sleep(60)"
    )
    result = run(document([{"name": "s", "template": "s"}], [step("s", code, activeDeadlineSeconds=1)]))
    assert "activeDeadlineSeconds" in result.message
    assert _gone(int(child.read_text()))


def test_promised_output_that_is_missing_fails(run: Run) -> None:
    result = run(document([{"name": "a", "template": "a"}], [step("a", "", outputs=out("x"))]))
    assert "promised and not written: /outputs/x" in result.message


def test_second_run_remembers_what_succeeded(run: Run, tmp_path: Path) -> None:
    note, gate = tmp_path / "note", tmp_path / "gate"
    once = step("once", f"open({str(note)!r}, 'a').write('x')", "{{workflow.parameters.p}}")
    late = step("late", f"import os, sys; sys.exit(not os.path.exists({str(gate)!r}))")
    tasks = [{"name": "once", "template": "once"}, {"name": "late", "template": "late", "depends": "once"}]
    content = document(tasks, [once, late], arguments={"parameters": [{"name": "p"}]})
    assert run(content, p="1").phase == "Failed"
    gate.touch()
    again = run(content, p="1")
    assert (again.phase, again.tasks["once"].reused, note.read_text()) == ("Succeeded", True, "x")
    assert not run(content, p="2").tasks["once"].reused  # decided by another value


def _gone(pid: int) -> bool:
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        state = Path(f"/proc/{pid}/stat")
        if state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_killed_executor_completes_at_the_next_run(run: Run, tmp_path: Path, number: signal.Signals) -> None:
    pid, gate = tmp_path / "pid", tmp_path / "gate"
    slow = (
        "import os, sys, time, pathlib as p\n"
        "p.Path(sys.argv[1]).write_text('half')\n"
        f"t = p.Path({str(pid)!r} + '.new'); t.write_text(str(os.getpid())); t.rename({str(pid)!r})\n"
        f"while not os.path.exists({str(gate)!r}): time.sleep(0.02)\n"
        "p.Path(sys.argv[1]).write_text('whole')"
    )
    content = document(
        [{"name": "s", "template": "s"}], [step("s", slow, "{{outputs.parameters.x.path}}", outputs=out("x"))]
    )
    file = tmp_path / "template.yaml"
    file.write_text(yaml.safe_dump(content))
    code = (
        "from pathlib import Path; from pipelines.local import run_workflow\n"
        f"run_workflow(Path({str(file)!r}), {{}}, name='w', work=Path({str(tmp_path / 'work')!r}), repo=Path('.'))"
    )
    executor = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    while not pid.exists():
        assert executor.poll() is None
        time.sleep(0.02)
    executor.send_signal(number)
    executor.wait(timeout=20)
    orphan = int(pid.read_text())
    if number != signal.SIGKILL:
        assert _gone(orphan)
    assert not (tmp_path / "work" / "w" / "s").exists()  # nothing half-written is kept
    gate.touch()
    assert run(content).output("s", "x") == "whole"
    assert _gone(orphan)


def test_code_of_the_commit_runs_in_its_own_tree(run: Run, tmp_path: Path) -> None:
    repo = tmp_path / "repo"

    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-C", str(repo), *arguments], check=True, capture_output=True, text=True).stdout

    subprocess.run(["git", "init", "-q", str(repo)], check=True)
    for text in ("old", "new"):
        (repo / "word.py").write_text(f"import sys; open(sys.argv[1], 'w').write({text!r})")
        git("add", ".")
        git("commit", "-qm", text)
    commit = git("rev-parse", "HEAD~1").strip()
    source = {
        "name": "source",
        "path": "/inputs/source",
        "git": {"repo": "https://x/y", "revision": commit, "depth": 1},
    }
    say = step("say", "", inputs={"artifacts": [source]}, outputs=out("x"))
    say["container"] |= {
        "command": ["python", "-m", "word"],
        "args": ["{{outputs.parameters.x.path}}"],
        "workingDir": "{{inputs.artifacts.source.path}}",
    }
    assert run(document([{"name": "say", "template": "say"}], [say]), repo=repo).output("say", "x") == "old"


def test_unknown_commit_is_named(run: Run, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path / "r")], check=True)
    source = {"name": "source", "path": "/s", "git": {"repo": "u", "revision": "f" * 40}}
    content = document([{"name": "a", "template": "a"}], [step("a", "", inputs={"artifacts": [source]})])
    assert f"commit {'f' * 40}" in run(content, repo=tmp_path / "r").message


def _with(path: str, value: object) -> Step:
    content = document([{"name": "a", "template": "a"}], [step("a", "")])
    at: Any = content
    *inner, last = path.split(".")
    for key in inner:
        at = at[int(key)] if key.isdigit() else at[key]
    at[last] = value
    return content


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("spec.templates.1.container.lifecycle", {}, r"templates\[1\].container.lifecycle: not understood"),
        ("spec.hooks", {}, "spec.hooks: not understood"),
        ("spec.templates.1.memoize", {}, "memoize: not understood"),
        ("spec.templates.0.dag.tasks.0.withItems", [1], "withItems: not understood"),
        ("spec.templates.0.dag.tasks.0.template", "ghost", "template 'ghost' is used and not there"),
        ("spec.templates.0.dag.tasks.0.depends", "ghost", "depends on 'ghost', which is no task"),
        ("spec.templates.0.dag.tasks.0.depends", "a", "a dag has no circles"),
        ("spec.templates.1.retryStrategy", {"retryPolicy": "OnError"}, "Always or OnFailure"),
        ("spec.templates.1.retryStrategy", {"backoff": {"duration": "soon"}}, "must be a duration"),
        ("kind", "Workflow", "must be a WorkflowTemplate"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_not_understood_is_an_error_that_names_it(run: Run, path: str, value: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run(_with(path, value))


def test_unknown_and_missing_parameters_are_all_named(run: Run) -> None:
    content = document([], [], arguments={"parameters": [{"name": "model"}]})
    with pytest.raises(ConfigError) as refused:
        run(content, modle="iris")
    assert len(refused.value.problems) == 2


def test_unknown_variable_is_an_error_that_names_it(run: Run) -> None:
    content = document([{"name": "a", "template": "a"}], [step("a", "", "{{workflow.creationTimestamp}}")])
    assert "{{workflow.creationTimestamp}}" in run(content).message


def test_every_field_without_meaning_here_has_a_reason() -> None:
    assert all(len(reason.split()) > 2 for reason in MEANINGLESS_HERE.values())


def fanned_out(items: str, *args: str, code: str = WRITE, **spec: Any) -> Step:
    """make -> each, once for each item -> after."""
    make = step("make", WRITE, "{{outputs.parameters.items.path}}", items, outputs=out("items"))
    each = step("each", code, *args, inputs={"parameters": [{"name": "one"}]})
    tasks: list[Step] = [
        {"name": "make", "template": "make"},
        {
            "name": "each",
            "template": "each",
            "depends": "make",
            "withParam": "{{tasks.make.outputs.parameters.items}}",
            "arguments": {"parameters": [{"name": "one", "value": "{{item}}"}]},
        },
        {"name": "after", "template": "ok", "depends": "each.Succeeded || each.Failed"},
    ]
    return document(tasks, [make, each, step("ok", "")], **spec)


def test_a_task_runs_once_for_each_item(run: Run, tmp_path: Path) -> None:
    content = fanned_out(
        '[1, "two words", {"k": "v"}]',
        "{{inputs.parameters.one}}",
        code=f"""
import sys, pathlib
with pathlib.Path({str(tmp_path / "seen")!r}).open("a") as seen: seen.write(sys.argv[1] + "\\n")""",
    )
    result = run(content)
    assert result.phase == "Succeeded"
    assert sorted((tmp_path / "seen").read_text().splitlines()) == ["1", "two words", '{"k": "v"}']
    assert run(content).tasks["each"].reused
    assert len((tmp_path / "seen").read_text().splitlines()) == 3, "a second run remembers every item"


def test_an_items_parts_have_names(run: Run, tmp_path: Path) -> None:
    content = fanned_out('[{"file": "a", "n": 2}]', str(tmp_path / "seen"), "{{inputs.parameters.one}}")
    content["spec"]["templates"][0]["dag"]["tasks"][1]["arguments"]["parameters"][0]["value"] = (
        "{{item.file}}-{{item.n}}"
    )
    assert run(content).phase == "Succeeded"
    assert (tmp_path / "seen").read_text() == "a-2"


def test_all_items_run_and_the_worst_decides(run: Run, tmp_path: Path) -> None:
    code = f"import sys, pathlib as p; p.Path({str(tmp_path)!r}, sys.argv[1]).touch(); sys.exit(int(sys.argv[1]))"
    result = run(fanned_out("[0, 3, 0]", "{{inputs.parameters.one}}", code=code))
    assert (result.tasks["each"].status, result.tasks["each"].exit_code) == ("Failed", 3)
    assert result.tasks["each"].message.startswith("1 of 3: exit code 3")
    assert (result.tasks["after"].status, result.phase) == ("Succeeded", "Succeeded")
    assert (tmp_path / "0").exists()


def test_no_more_items_at_once_than_the_workflow_allows(run: Run, tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib as p\n"
        f"here = p.Path({str(tmp_path)!r}); mine = here / f'running-{{sys.argv[1]}}'; mine.touch()\n"
        "time.sleep(0.3); seen = len(list(here.glob('running-*')))\n"
        "(here / f'saw-{sys.argv[1]}').write_text(str(seen)); mine.unlink()"
    )
    content = fanned_out("[1, 2, 3, 4, 5]", "{{inputs.parameters.one}}", code=code, parallelism=2)
    assert run(content).phase == "Succeeded"
    assert max(int(path.read_text()) for path in tmp_path.glob("saw-*")) == 2


@pytest.mark.parametrize(
    ("items", "status"), [("[]", "Skipped"), ("{}", "Error"), ("no list", "Error")], ids=["none", "object", "text"]
)
def test_items_that_are_no_list_are_an_error(run: Run, items: str, status: str) -> None:
    result = run(fanned_out(items, "x", "y"))
    assert result.tasks["each"].status == status
    assert status == "Skipped" or "withParam: got" in result.message


@pytest.mark.parametrize("resources", ["small", "large", "gpu"])
def test_every_rendered_template_is_understood(resources: str) -> None:
    root = Path(__file__).resolve().parents[2]
    template = read_template(root / f"manifests/workflows/workflowtemplate-train-{resources}.yaml")
    assert template.on_exit == "finish-run"


def test_events_tell_the_story(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(yaml.safe_dump(document([{"name": "a", "template": "a"}], [step("a", "")])))
    events: list[Event] = []
    run_workflow(file, {}, name="w", work=tmp_path / "work", repo=tmp_path, on_event=events.append)
    assert [(e.task, e.status) for e in events] == [("a", "Running"), ("a", "Succeeded")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("pass == pass", True),
        ("'a' != 'a'", False),
        ("'x' == 'y' || ('a' == 'a' && !('b' == 'c'))", True),
        ("asInt('3') in [2, 3]", True),
        ("'2' not in [\"2\", '3']", False),
        ("'r12' =~ '^r[0-9]+$'", True),
        ("3 >= 2", True),
    ],
)
def test_expressions(text: str, value: bool) -> None:
    assert holds(text, str) is value


@pytest.mark.parametrize("text", ["", "'a'", "'a' ==", "a == b c", "f('a') == 'b'", "1 == 1 ? 2 : 3"])
def test_expression_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expression"):
        holds(text, str)
