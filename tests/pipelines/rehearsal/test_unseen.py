"""The rehearsal's own check of the gates: what callers saw fail, and no gate did, is no promotion."""

import pytest

from pipelines.rehearsal.rehearse import unseen


@pytest.mark.parametrize(("requests", "errors"), [(1000, 0), (1000, 4), (1000, 9), (20, 4)])
def test_a_stray_error_is_none_of_the_gates(requests: int, errors: int) -> None:
    assert unseen(requests, errors) == ""


@pytest.mark.parametrize(("requests", "errors"), [(1000, 10), (20, 5), (1109, 414)])
def test_what_callers_saw_fail_is_said(requests: int, errors: int) -> None:
    assert f"{errors:,} of {requests:,} requests to the candidate failed" in unseen(requests, errors)
