import os
import subprocess
import sys
import time

import pytest

from tests.bench import processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"])
time.sleep(60)
"""  # noqa: E501


def test_a_tree_ends_whole_though_a_child_ignores_the_signal() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()  # the child is there, and ignores SIGTERM
        tree = processes.tree(process.pid)
        assert len(tree) == 2
        assert tree[0] == process.pid
        processes.end(process.pid, seconds=0.3)
    deadline = time.monotonic() + 5
    while any(processes.alive(pid) for pid in tree) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(processes.alive(pid) for pid in tree)


def test_a_process_that_is_gone_uses_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert processes.tree(process.pid) == []
    assert processes.cpu_seconds([process.pid]) == 0
    assert processes.memory_mb([process.pid]) == 0


def test_this_process_has_memory_threads_and_files() -> None:
    here = os.getpid()
    assert 0 < processes.memory_mb([here], "RssAnon") < processes.memory_mb([here])
    assert processes.threads(here) >= 1
    assert processes.open_files(here) >= 3
