"""Numbers as the files and people read them: rounded, in percent, with their interval."""

from collections.abc import Mapping
from typing import Any


def rounded(value: float) -> float:
    """To six decimals, as the metrics files hold it; never minus zero.

    >>> rounded(2 / 3), rounded(-1e-9)
    (0.666667, 0.0)
    """
    return round(float(value), 6) + 0.0


def percent(figures: Mapping[str, Any], name: str) -> str:
    """In percent, its interval in brackets if it has one; "-" when it is undefined.

    >>> percent({"f1": 0.926, "f1_low": 0.747, "f1_high": 0.987}, "f1")
    '93 [75-99]'
    """
    return _text(figures, name, 100, 0)


def decimal(figures: Mapping[str, Any], name: str, digits: int = 2) -> str:
    """As it is, its interval in brackets if it has one; "-" when it is undefined.

    >>> decimal({"roc_auc": 0.5}, "roc_auc"), decimal({}, "roc_auc")
    ('0.50', '-')
    """
    return _text(figures, name, 1, digits)


def _text(figures: Mapping[str, Any], name: str, factor: int, digits: int) -> str:
    if name not in figures:
        return "-"
    text = f"{factor * figures[name]:.{digits}f}"
    if f"{name}_low" in figures:
        low, high = (f"{factor * figures[name + end]:.{digits}f}" for end in ("_low", "_high"))
        text += f" [{low}-{high}]"
    return text
