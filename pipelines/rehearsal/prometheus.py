"""A Prometheus of the rehearsal's own: scrapes both servers each second, with the label that gates select by."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipelines import tools
from pipelines.rehearsal.child import Child
from pipelines.serve import usable_port

# Two scrapes are enough for a rate: a cluster's 15 s would make every gate wait for half a minute.
SCRAPE_SECONDS = 1
_READY_SECONDS = 20.0
_GRACE_SECONDS = 5.0
_CONFIG = """\
global:
  scrape_interval: {seconds}s
  scrape_timeout: {seconds}s
scrape_configs:
  - job_name: serving
    file_sd_configs:
      - files: [targets.json]
"""


def start(root: Path, home: Path, targets: Mapping[str, Mapping[str, str]]) -> tuple[Child, str]:
    """Starts Prometheus in `home` and gives it and its address, once it is ready.

    Args:
        root: the checkout whose `.tools/` may have it.
        home: its folder; storage, configuration and log lie there.
        targets: labels by `host:port`.

    Raises:
        ToolMissing: there is no Prometheus; the message says how to have it.
        NotStarted: it does not become ready.
    """
    command = tools.prometheus(root)
    home.mkdir(parents=True, exist_ok=True)
    (home / "prometheus.yml").write_text(_CONFIG.format(seconds=SCRAPE_SECONDS), encoding="utf-8")
    groups = [{"targets": [address], "labels": dict(labels)} for address, labels in targets.items()]
    (home / "targets.json").write_text(json.dumps(groups), encoding="utf-8")
    url = f"http://127.0.0.1:{usable_port(0)}"
    child = Child.start(
        "prometheus",
        [*command, *_flags(url.removeprefix("http://"))],
        home=home,
        environment={**os.environ, "GOMAXPROCS": "1"},
        grace_seconds=_GRACE_SECONDS,
    )
    try:
        child.await_answer(f"{url}/-/ready", timeout_seconds=_READY_SECONDS)
    except BaseException:
        child.stop()
        raise
    return child, url


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
