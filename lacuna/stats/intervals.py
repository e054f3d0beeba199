"""How far a share of independent trials could be off: exact binomial intervals (Clopper and Pearson 1934).

Of scipy.special alone: importing scipy.stats takes seconds, and a server uses this module.
"""

from scipy.special import betaincinv


def share_interval(hits: int, n: int, confidence: float) -> tuple[float, float]:
    """The two-sided interval of the share of hits among n independent trials, within 0 to 1; (0, 1) without a trial.

    A bootstrap of trials that all succeeded never sees a failure and would call the share certain; this does not.
    Raises ValueError unless 0 <= hits <= n.

    >>> [round(end, 3) for end in share_interval(0, 100, 0.95)], [round(end, 3) for end in share_interval(10, 10, 0.95)]
    ([0.0, 0.036], [0.692, 1.0])
    """
    tail = (1 - confidence) / 2
    low = lower_bound(hits, n, tail)
    return low, float(betaincinv(hits + 1, n - hits, 1 - tail)) if hits < n else 1.0


def lower_bound(hits: int, n: int, doubt: float) -> float:
    """The one-sided lower bound: a smaller share has a chance below `doubt` of so many hits among n trials.

    Raises ValueError unless 0 <= hits <= n.

    >>> round(lower_bound(45, 45, 0.1), 3)
    0.95
    """
    if not 0 <= hits <= n:
        raise ValueError(f"expected between 0 and {n} hits, received {hits}")
    return float(betaincinv(hits, n - hits + 1, doubt)) if hits else 0.0
