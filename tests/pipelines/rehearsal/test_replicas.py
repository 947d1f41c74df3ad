"""Pods for a weight; all 3,939 of 0 to 12 replicas were compared with Argo Rollouts 1.10's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ConfigError
from pipelines.rehearsal.replicas import counts, grown, routed_counts, surge_and_unavailable


@pytest.mark.parametrize(
    ("replicas", "weight", "surge", "expected"),
    [
        (3, 25, 1, (1, 3)),
        (3, 50, 1, (2, 2)),
        (3, 50, 0, (2, 1)),  # a third and two thirds are equally far: the larger
        (3, 5, 1, (1, 3)),  # three pods know no 5 %
        (10, 5, 1, (1, 10)),
        (10, 10, 0, (1, 9)),
        (10, 99, 0, (9, 1)),
        (1, 1, 0, (0, 1)),
        (1, 1, 1, (1, 1)),
        (1, 50, 0, (1, 0)),
        (4, 0, 1, (0, 4)),
        (4, 100, 1, (4, 0)),
        (0, 50, 1, (0, 0)),
        # Argo Rollouts' own corner: without a surge, half a pod short of all, the candidate has none.
        (2, 75, 0, (0, 2)),
        (5, 90, 0, (0, 5)),
        (10, 95, 0, (0, 10)),
    ],
)
def test_counts(replicas: int, weight: int, surge: int, expected: tuple[int, int]) -> None:
    assert counts(replicas, weight, surge) == expected


@given(st.integers(2, 50), st.integers(1, 99), st.integers(1, 5))
def test_with_a_surge_both_sides_keep_a_pod_and_one_more_at_most_is_used(
    replicas: int, weight: int, surge: int
) -> None:
    candidate, stable = counts(replicas, weight, surge)
    assert candidate >= 1
    assert stable >= 1
    assert candidate + stable in (replicas, replicas + 1)


@given(st.integers(1, 50), st.integers(1, 5))
def test_with_a_surge_more_weight_is_never_fewer_pods(replicas: int, surge: int) -> None:
    shares = [
        candidate / max(candidate + stable, 1) for candidate, stable in (counts(replicas, w, surge) for w in range(101))
    ]
    assert shares == sorted(shares)


def test_a_router_keeps_stable_whole() -> None:
    assert routed_counts(3, 5) == (1, 3)
    assert routed_counts(3, 100) == (3, 3)


def test_stable_gives_up_pods_only_as_ready_ones_replace_them() -> None:
    assert grown(3, 1, 0, before=(1, 3), after=(2, 2)) == (2, 2)
    assert grown(3, 1, 0, before=(2, 2), after=(3, 0)) == (3, 1)
    assert grown(4, 1, 1, before=(0, 4), after=(4, 0)) == (2, 3)
    assert grown(10, 1, 0, before=(0, 10), after=(5, 5)) == (1, 10)


def test_surge_rounds_up_and_unavailable_down() -> None:
    assert surge_and_unavailable("25%", "25%", 3) == (1, 0)
    assert surge_and_unavailable(0, 0, 3) == (0, 1)
    assert surge_and_unavailable(2, "50%", 3) == (2, 1)
    with pytest.raises(ConfigError, match="maxSurge: got 'some'"):
        surge_and_unavailable("some", 0, 3)
