"""What a count of few says of the share behind it: one-sided bounds, exact (Clopper and Pearson, 1934)."""

from scipy.stats import beta


def upper(found: int, of: int, confidence: float = 0.95) -> float:
    """The share that is not exceeded with this confidence, one-sided; 0 of 500: 0.6 %."""
    if of == 0 or found >= of:
        return 1.0
    return float(beta.ppf(confidence, found + 1, of - found))


def lower(found: int, of: int, confidence: float = 0.95) -> float:
    """The share that is exceeded with this confidence, one-sided."""
    return float(beta.ppf(1 - confidence, found, of - found + 1)) if found else 0.0
