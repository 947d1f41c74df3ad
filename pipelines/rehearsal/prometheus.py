"""A Prometheus of the rehearsal's own: scrapes both servers each second, with the label that gates select by."""

import json
import os
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipelines import tools
from pipelines.rehearsal.child import Child

# Two scrapes are enough for a rate: a cluster's 15 s would make every gate wait for half a minute.
SCRAPE_SECONDS = 1
_READY_SECONDS = 20.0
_GRACE_SECONDS = 5.0
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_CONFIG = """\
global:
  scrape_interval: {seconds}s
  scrape_timeout: {seconds}s
scrape_configs:
  - job_name: serving
    file_sd_configs:
      - files: [targets.json]
"""


def launch(root: Path, home: Path, url: str, targets: Mapping[str, Mapping[str, str]]) -> Child:
    """Starts Prometheus in `home`, to answer at `url`, and returns at once; `await_ready` waits for it.

    Args:
        root: the checkout whose `.tools/` may have it.
        home: its folder; storage, configuration and log lie there.
        url: its address.
        targets: labels by `host:port`.

    Raises:
        ToolMissing: there is no Prometheus; the message says how to have it.
    """
    command = tools.prometheus(root)
    home.mkdir(parents=True, exist_ok=True)
    (home / "prometheus.yml").write_text(_CONFIG.format(seconds=SCRAPE_SECONDS), encoding="utf-8")
    groups = [{"targets": [address], "labels": dict(labels)} for address, labels in targets.items()]
    (home / "targets.json").write_text(json.dumps(groups), encoding="utf-8")
    return Child.start(
        "prometheus",
        [*command, *_flags(url.removeprefix("http://"))],
        home=home,
        environment={**os.environ, "GOMAXPROCS": "1"},
        grace_seconds=_GRACE_SECONDS,
    )


def await_ready(child: Child, url: str) -> None:
    """Returns once it answers queries.

    Raises:
        NotStarted: it ended, or does not answer in time.
    """
    child.await_answer(f"{url}/-/ready", timeout_seconds=_READY_SECONDS)


def version(url: str) -> str:
    """What it says that it is; empty where it does not answer any more."""
    try:
        with _OPENER.open(f"{url}/api/v1/status/buildinfo", timeout=2) as answer:
            return str(json.loads(answer.read())["data"]["version"])
    except (OSError, ValueError, KeyError):
        return ""


def _flags(address: str) -> Sequence[str]:
    return (
        "--config.file=prometheus.yml",
        f"--web.listen-address={address}",
        "--storage.tsdb.path=data",
        "--storage.tsdb.retention.time=2h",
        "--query.timeout=10s",
        "--query.max-concurrency=4",
        "--log.level=warn",
    )
