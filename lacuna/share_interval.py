"""How far a share of independent trials could be off."""

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
