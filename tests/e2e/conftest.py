"""The suite's cluster, forge, traffic and figures; the order of its stories, their table, and logs where one failed."""

import subprocess
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e import given, last_full, logs, memory
from tests.e2e.figures import FOLDER, Figures
from tests.e2e.flows import conntrack
from tests.e2e.flows.recorder import Recorder, recording
from tests.e2e.forge import Forge
from tests.e2e.reaching import Ways
from tests.e2e.table import Scenario, table
from tests.e2e.waiting import Clock

if TYPE_CHECKING:  # what trains and draws rows takes seconds to import, and every collection reads this file
    from tests.e2e.callers import Callers
    from tests.e2e.releasing import Releases

HERE = Path(__file__).parent
# Stories first, each from what most others stand on; what breaks things comes last, and of that last what promotes.
ORDER = (
    "test_strict", "test_platform", "test_conformance", "stories/test_train_and_promote", "stories/test_revert",
    "stories/test_push", "stories/test_bad_model", "stories/test_abort", "stories/test_blue_green",
    "stories/test_better_model", "stories/test_multi_model", "stories", "test_traefik", "test_autoscaling",
    "faults/test_evidence_gone", "faults/test_never_ready", "faults", "test_flows",
)  # fmt: skip
_scenarios: list[Scenario] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In the order above; without a cluster each says why it is skipped."""
    ours = [item for item in items if HERE in item.path.parents]
    needing = [item for item in ours if item.get_closest_marker("e2e") or item.get_closest_marker("full")]
    if not needing:
        return
    places = [at for at, item in enumerate(items) if item in ours]
    for at, item in zip(places, sorted(ours, key=_place), strict=True):
        items[at] = item


def _place(item: pytest.Item) -> int:
    name = item.path.relative_to(HERE).with_suffix("").as_posix()
    found = [at for at, known in enumerate(ORDER) if name == known or name.startswith(f"{known}/")]
    return min(found, default=len(ORDER))


@pytest.fixture(scope="session")
def heard() -> Iterator[Recorder | None]:
    """Listens to the connections of the cluster's nodes from the suite's beginning, where that can be done."""
    if given.why_not() or conntrack.why_not():
        yield None
        return
    with recording(given.given().kube, FOLDER / "flows") as found:
        yield found


@pytest.fixture(scope="session")
def recorder(cluster: given.Cluster, heard: Recorder | None) -> Recorder:
    """What the suite's connections were; skips where nobody could listen."""
    if heard is None:
        pytest.skip(conntrack.why_not())
    return heard


@pytest.fixture(scope="session")
def cluster(heard: Recorder | None) -> given.Cluster:
    """The cluster; skips where none is given."""
    reason = given.why_not()
    if reason:
        pytest.skip(reason)
    return given.given()


@pytest.fixture(scope="session")
def figures(cluster: given.Cluster) -> Iterator[Figures]:
    """Where numbers go; at the end the suite's own."""
    found, clock = Figures(), Clock()
    yield found
    found.note("suite", "seconds", clock.seconds)
    for namespace, used in memory.by_namespace(cluster).items():
        found.note("memory in MiB", namespace, used)


@pytest.fixture(scope="session")
def ways(cluster: given.Cluster) -> Iterator[Ways]:
    """From here to the cluster's services."""
    found = Ways(cluster)
    yield found
    found.close()


@pytest.fixture(scope="session")
def forge(cluster: given.Cluster, ways: Ways, tmp_path_factory: pytest.TempPathFactory) -> Forge:
    """The cluster's forge, with a clone."""
    return Forge(cluster, ways, tmp_path_factory.mktemp("forge") / "clone")


@pytest.fixture(scope="session")
def image(forge: Forge) -> str:
    """The serving image that the forge's repository releases, by digest."""
    from tests.e2e.releasing import released_image

    return released_image(forge)


@pytest.fixture(scope="session")
def releases(cluster: given.Cluster, forge: Forge, ways: Ways, callers: "Callers") -> "Releases":
    """What registers and releases."""
    from tests.e2e.releasing import Releases

    return Releases(cluster, forge, ways, callers)


@pytest.fixture(scope="session")
def callers(cluster: given.Cluster, image: str) -> "Iterator[Callers]":
    """What sends traffic."""
    from tests.e2e.callers import Callers

    found = Callers(cluster, image)
    yield found
    found.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Keeps the controllers' logs of a scenario that failed, and a row of each for the table."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    marked = item.get_closest_marker("e2e") or item.get_closest_marker("full")
    if marked and (report.when == "call" or report.outcome != "passed"):
        reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else ""
        if report.failed:
            reason = _reason(call)
            kept = logs.keep(item.name, since=call.start)
            report.sections.append(("first lines of the reason", reason))
            report.sections.append(("controllers' logs", kept))
        _scenarios.append(Scenario(item.nodeid.removeprefix("tests/e2e/"), report.outcome, report.duration, reason))
    return report  # type: ignore[return-value]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of scenarios."""
    if _scenarios:
        told = table(_scenarios, at=time.time())
        terminalreporter.write_line(f"\n{told}\nnumbers are in {(FOLDER / 'figures.json').relative_to(given.ROOT)}")
        if "full" in str(terminalreporter.config.option.markexpr):
            _keep(_scenarios)


def _keep(scenarios: Sequence[Scenario]) -> None:
    """Renews the file of last results."""
    head = ["git", "-C", str(given.ROOT), "rev-parse", "HEAD"]
    commit = subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    before = last_full.PATH.read_text(encoding="utf-8") if last_full.PATH.is_file() else ""
    last_full.PATH.write_text(last_full.renew(before, scenarios, when=when, commit=commit), encoding="utf-8")


def _reason(call: pytest.CallInfo[None]) -> str:
    assert call.excinfo is not None
    return "\n".join(str(call.excinfo.value).splitlines()[:12])
