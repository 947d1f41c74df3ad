"""The rehearsal's engine and the real controller are given the same cases, and must say the same of each.

A controller that is not in a pod (none can be started) reaches the scripted answers on this host: see `stage`.
"""

import json
import os
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from pipelines.kube import Cluster
from tests.e2e import given
from tests.e2e.conformance import stage
from tests.e2e.conformance.differences import compared
from tests.e2e.conformance.play import Played, play
from tests.e2e.conformance.pods import Readiness
from tests.e2e.conformance.programme import Tables
from tests.e2e.conformance.table import SLOWER
from tests.e2e.figures import Figures
from tests.e2e.waiting import say

pytestmark = pytest.mark.e2e
HOST = "MAINLINE_CONFORMANCE_HOST"


def test_rehearsal_says_what_the_controller_says(cluster: given.Cluster, figures: Figures, tmp_path: Path) -> None:
    tables = Tables.read()
    played = _played(cluster.kube, tables, tmp_path)
    differences = compared(tables, played)
    late = {each.key for each in differences if each.key}
    if late:
        # Load delays what is told in seconds; what is said otherwise is said again, more slowly and with few others.
        say("\n".join(["looked at again:", *map(str, differences)]))
        some = Tables.read(SLOWER).only(late)
        again = compared(some, _played(cluster.kube, some, tmp_path))
        differences = [each for each in differences if not each.key] + again
    figures.note("conformance", "looked_at_again", len(late))
    for name in ("conditions", "readings", "analyses", "rollouts", "left_out"):
        figures.note("conformance", name, len(getattr(tables, name)))
    figures.note("conformance", "arguments", len(played.arguments))
    figures.note("conformance", "seconds", played.seconds)
    figures.note("conformance", "differences", len(differences))
    for name, why in tables.left_out.items():
        say(f"not compared: {name}: {why}")
    assert not differences, "\n" + "\n".join(map(str, differences))


def _played(kube: Cluster, tables: Tables, folder: Path) -> Played:
    with _staged(kube, tables, folder) as staged, Readiness(kube) as pods:
        played = play(staged, tables.programme(staged.address))
    assert not pods.failed, f"pods could not be said to be ready: {pods.failed[:3]}"
    return played


def _staged(kube: Cluster, tables: Tables, folder: Path) -> AbstractContextManager[stage.Stage]:
    host = os.environ.get(HOST, "")
    if host:
        return stage.on_host(kube, host, tables.script(), folder)
    images = given.OURS / "images.json"
    named = json.loads(images.read_text(encoding="utf-8")) if images.is_file() else {}
    image = named.get("serving") or named.get("trainer")
    if not image:
        pytest.skip(f"no image with Python: {images} names none; `make images` writes it, or set {HOST}")
    return stage.in_cluster(kube, image, tables.script())
