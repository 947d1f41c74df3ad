"""The file of last results: a part's lines are renewed, the others stay."""

from tests.e2e.last_full import renew
from tests.e2e.table import Scenario

WHEN, COMMIT = "2026-11-21 20:00", "a" * 40


def test_a_part_renews_its_own_lines() -> None:
    before = renew(
        "", [Scenario("b", "passed", 9.6, ""), Scenario("a[x y]", "failed", 1, "why")], when=WHEN, commit=COMMIT
    )
    after = renew(before, [Scenario("a[x y]", "passed", 2, "")], when="2026-11-22 08:00", commit="b" * 40)
    assert after.splitlines()[1:] == [
        "a[x y]  passed  2 s  2026-11-22 08:00  bbbbbbbbbbbb",
        "b  passed  10 s  2026-11-21 20:00  aaaaaaaaaaaa",
    ]


def test_what_was_skipped_says_nothing() -> None:
    before = renew("", [Scenario("a", "passed", 1, "")], when=WHEN, commit=COMMIT)
    assert renew(before, [Scenario("a", "skipped", 0, "no KEDA")], when="later", commit="b" * 40) == before
