"""The judge would say that all is well, and takes longer than anybody waits: what comes too late is no verdict."""

import pytest

from tests.e2e.callers import Callers
from tests.e2e.candidate import merged
from tests.e2e.figures import Figures
from tests.e2e.given import Cluster
from tests.e2e.releasing import Releases
from tests.e2e.standing_in import in_place_of
from tests.e2e.waiting import Clock

pytestmark = pytest.mark.full
# Argo Rollouts waits for 30 s.
LATE = """\
import http.server
import time


class Late(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        time.sleep(40)
        body = b'{"verdict": "pass"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Late).serve_forever()
"""
GATES = {"input-drift", "prediction-shift"}


def test_a_verdict_that_comes_too_late_does_not_count(
    cluster: Cluster, releases: Releases, callers: Callers, figures: Figures, image: str
) -> None:
    candidate = merged(releases, callers, figures, "judge slow")
    with in_place_of(cluster, "mainline", "drift", image=image, script=LATE, port=8080):
        candidate.wait_pod()
        clock = Clock()
        view, run = candidate.stopped()
        figures.note(candidate.watch.story, "canary_to_abort_seconds", clock.seconds)
    assert run is not None, view.message
    assert run.phase == "Error"
    assert set(run.templates) & GATES
    assert set(run.templates) <= GATES
    candidate.watch.nothing_lost()
