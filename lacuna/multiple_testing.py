"""Many tests at once: some come out small by luck."""

from collections.abc import Sequence

import numpy as np

from lacuna.metrics import Floats


def holm(p: Sequence[float]) -> Floats:
    """Adjusted p-values (n,): where they stay below alpha, so does the chance of even one false claim (Holm 1979).

    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, kind="stable")
    stepped = np.asarray(p, dtype=np.float64)[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1)
    return adjusted
