import time

import pytest

from tests.bench.patience import Patience


def _busier_by(monkeypatch: pytest.MonkeyPatch, cores: float) -> None:
    began = time.monotonic()
    monkeypatch.setattr("tests.bench.processes.busy_seconds", lambda: (time.monotonic() - began) * cores)


def test_a_quiet_machine_is_waited_for_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    _busier_by(monkeypatch, 0.05)
    patience = Patience(10)
    assert patience.wait()
    assert 9 < patience.seconds < 10


def test_a_busy_machine_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    _busier_by(monkeypatch, 1.5)
    patience = Patience(0.9, at_once=0.5)
    assert not patience.wait()
    assert patience.left
    assert not patience.wait()
    assert not patience.left


def test_without_patience_nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    _busier_by(monkeypatch, 1.5)
    began = time.monotonic()
    assert not Patience(0).wait()
    assert time.monotonic() - began < 0.2
