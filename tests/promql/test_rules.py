"""The rules of manifests/platform/prometheus, asked of promtool: each version's pods for themselves."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.tools import ROOT, promtool
from pipelines.versions import ToolMissing

FOLDER = ROOT / "manifests" / "platform" / "prometheus"
RULES = tuple(sorted(path.name for path in FOLDER.glob("rules-*.yml")))
WHO = 'namespace="iris-production", model="iris", environment="production", rollouts_pod_template_hash='
STABLE, CANARY = f'{WHO}"stable"', f'{WHO}"canary"'


@pytest.fixture
def tool() -> Sequence[str]:
    try:
        return promtool(ROOT)
    except ToolMissing as err:
        pytest.skip(str(err))


def labels(hash_: str, **more: str) -> dict[str, str]:
    named = {"namespace": "iris-production", "model": "iris", "environment": "production"}
    return named | {"rollouts_pod_template_hash": hash_} | more


def requests(who: str, outcome: str, each_15_s: int) -> dict[str, str]:
    return {
        "series": f'mainline_requests_total{{{who}, pod="p", outcome="{outcome}"}}',
        "values": f"0+{each_15_s}x60",
    }


def alert(name: str, minute: int, *firing: dict[str, str]) -> dict[str, Any]:
    return {"eval_time": f"{minute}m", "alertname": name, "exp_alerts": [{"exp_labels": found} for found in firing]}


def check(tool: Sequence[str], folder: Path, series: list[dict[str, str]], alerts: list[dict[str, Any]]) -> str:
    """What promtool says of alerts over series; empty where they fire as expected (annotations aside)."""
    for name in RULES:
        document = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
        for rule in (rule for group in document["groups"] for rule in group["rules"]):
            rule.pop("annotations", None)  # promtool would compare their whole text
        (folder / name).write_text(yaml.safe_dump(document), encoding="utf-8")
    test = {"interval": "15s", "input_series": series, "alert_rule_test": alerts}
    document = {"rule_files": list(RULES), "evaluation_interval": "15s", "tests": [test]}
    (folder / "test.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    command = [*tool, "test", "rules", "test.yml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_rules_are_valid_and_keep_the_pods_hash(tool: Sequence[str]) -> None:
    for name in RULES:
        subprocess.run([*tool, "check", "rules", str(FOLDER / name)], check=True, capture_output=True)
    rules = yaml.safe_load((FOLDER / "rules-serving.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    for rule in rules:
        of_a_version = "rollouts_pod_template_hash" in rule["expr"] or "serving:" in rule["expr"]
        assert of_a_version, rule
        if "alert" in rule:
            assert set(rule["annotations"]) == {"summary", "action"}
            assert "rollouts_pod_template_hash }}" in rule["annotations"]["summary"]


def test_configuration_is_valid(tool: Sequence[str], tmp_path: Path) -> None:
    shown = subprocess.run([*tool, "--version"], capture_output=True, text=True, check=True)
    major, minor, *_ = (shown.stdout + shown.stderr).split("version ")[1].split(".")
    if (int(major), int(minor)) < (2, 43):
        pytest.skip(f"promtool {major}.{minor} does not know scrape_config_files; 2.43 does")
    shutil.copytree(FOLDER, tmp_path / "all")
    shutil.copytree(FOLDER, tmp_path / "fast")
    shutil.copy(ROOT / "kustomize/components/scrape-every-second/prometheus.yml", tmp_path / "fast")
    for name in ("all", "fast"):
        done = subprocess.run(
            [*tool, "check", "config", str(tmp_path / name / "prometheus.yml")],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_failing_canary_is_told_from_stable(tool: Sequence[str], tmp_path: Path) -> None:
    series = [
        requests(STABLE, "answered", 600),
        requests(STABLE, "failed", 0),
        requests(CANARY, "answered", 190),
        requests(CANARY, "failed", 10),
    ]
    fires = labels("canary", severity="page")
    assert check(tool, tmp_path, series, [alert("ServingFails", 10, fires), alert("ServingFails", 1)]) == ""
    assert check(tool, tmp_path, series[:2], [alert("ServingFails", 10, fires)]) != "", "stable alone fires"


def test_one_failure_of_a_quiet_version_is_no_page(tool: Sequence[str], tmp_path: Path) -> None:
    series = [requests(CANARY, "answered", 4), requests(CANARY, "failed", 1)]
    assert check(tool, tmp_path, series, [alert("ServingFails", 10)]) == ""


def test_a_slow_version_is_told_by_its_own_histogram(tool: Sequence[str], tmp_path: Path) -> None:
    series = [requests(STABLE, "answered", 600), requests(CANARY, "answered", 600)]
    for who, quick in ((STABLE, 600), (CANARY, 500)):
        for bound, count in (("0.1", quick), ("0.5", 600), ("+Inf", 600)):
            name = f'mainline_request_duration_seconds_bucket{{{who}, pod="p", le="{bound}"}}'
            series.append({"series": name, "values": f"0+{count}x60"})
    fires = labels("canary", severity="page")
    assert check(tool, tmp_path, series, [alert("ServingSlow", 12, fires), alert("ServingSlow", 3)]) == ""


def test_pods_without_scrapes_and_rows_that_are_lost_make_tickets(tool: Sequence[str], tmp_path: Path) -> None:
    series = [
        {"series": f'up{{job="serving", {CANARY}, pod="a"}}', "values": "0x60"},
        {"series": f'up{{job="serving", {STABLE}, pod="b"}}', "values": "1x60"},
        {"series": f'mainline_capture_dropped_rows_total{{{CANARY}, pod="a"}}', "values": "0+1x60"},
        {"series": f'mainline_capture_dropped_rows_total{{{STABLE}, pod="b"}}', "values": "0x60"},
        {"series": 'up{job="judge", instance="drift"}', "values": "0x60"},
        {"series": 'up{job="argo-rollouts", instance="controller"}', "values": "1x60"},
    ]
    ticket = labels("canary", severity="ticket")
    down = {"job": "judge", "instance": "drift", "severity": "page"}
    expected = [
        alert("ServingNotScraped", 6, ticket),
        alert("CaptureLosesRows", 7, ticket),
        alert("PlatformPartDown", 3, down),
    ]
    assert check(tool, tmp_path, series, expected) == ""
