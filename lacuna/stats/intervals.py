"""How far a share of independent trials could be off."""

from scipy.special import betaincinv
from scipy.stats import beta


def share_interval(n_hits: int, n: int, confidence: float) -> tuple[float, float]:
    """The exact interval of a share of n independent trials (Clopper and Pearson 1934).

    >>> tuple(round(end, 3) for end in share_interval(0, 100, 0.95))
    (0.0, 0.036)
    """
    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, n_hits, n - n_hits + 1)) if n_hits else 0.0
    high = float(beta.ppf(1 - tail, n_hits + 1, n - n_hits)) if n_hits < n else 1.0
    return low, high


def exact_bound(n: int, confidence: float) -> float:
    """Lower end of the exact interval of a share when all of n independent trials succeeded (Clopper-Pearson 1934).

    The bootstrap of an all-correct count never sees an error and would call it certain.

    >>> round(exact_bound(10, 0.95), 3)
    0.692
    """
    return float(((1 - confidence) / 2) ** (1 / n))


def lower_bound(right: int, n: int, doubt: float) -> float:
    """One-sided exact lower bound of a share (Clopper and Pearson 1934).

    >>> round(lower_bound(45, 45, 0.1), 3)
    0.95
    """
    return float(betaincinv(right, n - right + 1, doubt)) if right else 0.0
