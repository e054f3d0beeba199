"""How far a metric could be off, as the metrics files say it: NAME, NAME_low and NAME_high.

The ends are those of the bootstrap, unless all or nothing is right: resampling never sees an error there and would call
the metric certain.
"""

from collections.abc import Sequence

import numpy as np

from lacuna.core.scores import Floats
from lacuna.stats.bootstrap import interval
from lacuna.stats.intervals import share_interval
from lacuna.stats.numbers import rounded


def with_interval(name: str, values: Floats, confidence: float, trials: Sequence[int] = ()) -> dict[str, float]:
    """The metric and its ends, rounded; nothing where it is undefined in the sample, no ends where in most replicates.

    values (replicates,), the first replicate being the sample; NaN = undefined. trials: see `exact_interval`.
    """
    if np.isnan(values[0]):
        return {}
    value = rounded(values[0])
    ends = exact_interval(name, value, confidence, trials) or interval(values[1:], confidence)
    if ends is None:
        return {name: value}
    return {name: value, f"{name}_low": rounded(ends[0]), f"{name}_high": rounded(ends[1])}


def exact_interval(name: str, value: float, confidence: float, trials: Sequence[int]) -> tuple[float, float] | None:
    """The exact interval of a metric that is 0 or 1; None for any other value, and without a trial.

    trials: how many independent trials stand behind it, for a mean over classes those of each class; their bounds are
    averaged, classes without a trial left out. F1 follows from the share right among all that is or is said to be
    present, or from recall alone.
    """
    if value not in (0, 1) or not any(trials):
        return None
    hits = [n if value == 1 else 0 for n in trials]
    bounds = [share_interval(right, n, confidence) for right, n in zip(hits, trials, strict=True) if n]
    low, high = (float(np.mean(ends)) for ends in zip(*bounds, strict=True))
    return (2 * low / (1 + low), 2 * high / (1 + high)) if name == "f1" else (low, high)
