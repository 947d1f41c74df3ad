"""The three answers that a gate can give. Inconclusive (no data, NaN, an unreachable judge) is never a pass."""

from enum import StrEnum


class Verdict(StrEnum):
    """What a gate says."""

    PASS = "pass"  # noqa: S105  (no password)
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
