"""The strategy is one line of an overlay; the rehearsal is one component over any of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.duration import seconds
from pipelines.build import build_folder, build_overlay, objects
from pipelines.rehearsal.template import templates_in
from pipelines.tools import ROOT

Built = list[dict[str, Any]]
Read = Callable[[Path, str, str], Built]
OTHER = {"canary": "blue-green", "blue-green": "canary"}
OVER = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - ../overlays/production/{model}
components:
  - ../components/rehearsal
"""
# Times that a rehearsal may shorten. What is not in here is a threshold or a minimum, and stays.
TIMES = ("settle", "max-age-seconds", "retries", "interval", "count", "successes", "window")


def rollout(built: Built) -> dict[str, Any]:
    (found,) = [each for each in built if each["kind"] == "Rollout"]
    return found


def strategy_of(root: Path, environment: str, model: str) -> str:
    text = (root / f"kustomize/overlays/{environment}/{model}/kustomization.yaml").read_text(encoding="utf-8")
    (chosen,) = [name for name in OTHER if f"  - ../../../components/{name}\n" in text]
    return chosen


def swap(root: Path, environment: str, model: str) -> None:
    file = root / f"kustomize/overlays/{environment}/{model}/kustomization.yaml"
    chosen = strategy_of(root, environment, model)
    text = file.read_text(encoding="utf-8").replace(f"components/{chosen}\n", f"components/{OTHER[chosen]}\n")
    file.write_text(text, encoding="utf-8")


def rehearsed(root: Path, model: str) -> Built:
    folder = root / "kustomize" / f"rehearsal-{model}"
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(OVER.format(model=model), encoding="utf-8")
    return objects(build_folder(root, f"kustomize/rehearsal-{model}"))


def test_property_is_blue_green_and_the_others_are_canaries() -> None:
    for environment in ("staging", "production"):
        chosen = {model: strategy_of(ROOT, environment, model) for model in ("diabetes", "digits", "iris", "property")}
        assert chosen == {"diabetes": "canary", "digits": "canary", "iris": "canary", "property": "blue-green"}


def test_one_line_is_the_whole_choice(read: Read, scratch: Path, overlay: tuple[str, str]) -> None:
    before = read(ROOT, *overlay)
    swap(scratch, *overlay)
    after = objects(build_overlay(scratch, *overlay))
    assert set(rollout(before)["spec"]["strategy"]) != set(rollout(after)["spec"]["strategy"])
    both: tuple[Built, Built] = (before, after)
    for built in both:
        (moves,) = rollout(built)["spec"].pop("strategy").values()
        named = {value for key, value in moves.items() if key.endswith("Service")} - {"serving"}
        there = {each["metadata"]["name"] for each in built if each["kind"] == "Service"} - {"serving"}
        assert named == there
        built[:] = [each for each in built if each["kind"] != "Service" or each["metadata"]["name"] not in named]
        rollout(built)["metadata"]["labels"].pop("mainline.dev/strategy")
        rollout(built)["spec"].pop("progressDeadlineSeconds")  # blue-green's analyses count as time without progress
    assert before == after


@pytest.mark.parametrize("model", ["iris", "property"])
def test_a_rehearsal_has_other_times_and_the_same_thresholds(read: Read, scratch: Path, model: str) -> None:
    before, after = read(ROOT, "production", model), rehearsed(scratch, model)
    templates = templates_in(after)
    for name, template in templates_in(before).items():
        for argument, short in zip(template["spec"].pop("args"), templates[name]["spec"].pop("args"), strict=True):
            assert argument["name"] == short["name"]
            if argument["name"].endswith(TIMES):
                assert short["value"] != argument["value"], argument["name"]
            else:
                assert short == argument
        assert template == templates[name]
    for built in (before, after):
        spec = rollout(built)["spec"]
        assert (spec.pop("minReadySeconds") == 1) is (built is after)
        assert (30 < spec.pop("progressDeadlineSeconds") < 60) is (built is after)  # a gate waits at most 45 s
        variables = spec["template"]["spec"]["containers"][0]["env"]
        flush = [each for each in variables if each["name"] == "MAINLINE_CAPTURE_FLUSH_SECONDS"]
        assert [each["value"] for each in flush] == (["1"] if built is after else [])
        variables[:] = [each for each in variables if each not in flush]
        for step in spec["strategy"].get("canary", {}).get("steps", []):
            step.get("pause", {}).pop("duration", None)
            for argument in step.get("analysis", {}).get("args", []):
                if argument["name"].endswith("-window"):
                    argument.pop("value")
        built[:] = [each for each in built if each["kind"] != "AnalysisTemplate"]
    assert before == after


@pytest.mark.parametrize("model", ["iris", "property"])
def test_a_rehearsal_waits_less_than_a_minute_for_any_gate(scratch: Path, tool: None, model: str) -> None:
    swap(scratch, "production", model)  # each strategy on the other's model: the component serves both
    built = rehearsed(scratch, model)
    values = {
        argument["name"]: argument.get("value", "")
        for template in templates_in(built).values()
        for argument in template["spec"]["args"]
    }
    for gate in ("samples", "errors", "latency", "saturation", "inputs", "predictions", "replay"):
        assert seconds(values[f"{gate}-interval"]) * int(values[f"{gate}-count"]) <= 45
    watched = (int(values["errors-successes"]) - 1) * seconds(values["errors-interval"])
    assert watched >= seconds(values["saturation-memory-window"])
    pauses = [
        step["pause"]
        for step in rollout(built)["spec"]["strategy"].get("canary", {}).get("steps", [])
        if "pause" in step
    ]
    assert all(seconds(pause["duration"]) <= 10 for pause in pauses)


def test_a_pause_for_a_person_stays_one_in_a_rehearsal(scratch: Path, tool: None) -> None:
    file = scratch / "kustomize/components/canary/strategy.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace("        - pause:\n            duration: 30s\n", "        - pause: {}\n"), encoding="utf-8"
    )
    steps = rollout(rehearsed(scratch, "iris"))["spec"]["strategy"]["canary"]["steps"]
    assert [step["pause"] for step in steps if "pause" in step] == [{}, {"duration": "8s"}]
