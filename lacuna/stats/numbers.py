"""Numbers as the files and people read them: rounded, in percent, with their interval."""

from collections.abc import Mapping
from typing import Any


def rounded(value: float) -> float:
    """To six decimals, as the metrics files hold it; never minus zero.

    >>> rounded(2 / 3), rounded(-1e-9)
    (0.666667, 0.0)
    """
    return round(float(value), 6) + 0.0


def in_percent(part: float, whole: float = 1) -> str:
    """A share in whole percent that calls nothing 0 or 100 % that is not.

    >>> in_percent(3, 8497), in_percent(0, 9), in_percent(8496, 8497), in_percent(0.628)
    ('<1 %', '0 %', '>99 %', '63 %')
    """
    share = part / whole if whole else 0.0
    if 0 < share < 0.005:
        return "<1 %"
    return ">99 %" if 0.995 <= share < 1 else f"{100 * share:.0f} %"


def percent(metrics: Mapping[str, Any], name: str) -> str:
    """A metric in percent, its interval in brackets if it has one; "-" when it is undefined.

    >>> percent({"f1": 0.926, "f1_low": 0.747, "f1_high": 0.987}, "f1")
    '93 [75-99]'
    """
    return _text(metrics, name, 100, 0)


def decimal(metrics: Mapping[str, Any], name: str, digits: int = 2) -> str:
    """A metric as it is, its interval in brackets if it has one; "-" when it is undefined.

    >>> decimal({"roc_auc": 0.5}, "roc_auc"), decimal({}, "roc_auc")
    ('0.50', '-')
    """
    return _text(metrics, name, 1, digits)


def signed_interval(low: float, high: float, digits: int = 3) -> str:
    """The interval of a difference.

    >>> signed_interval(-0.0123, 0.4)
    '[-0.012, +0.400]'
    """
    return f"[{low:+.{digits}f}, {high:+.{digits}f}]"


def _text(metrics: Mapping[str, Any], name: str, factor: int, digits: int) -> str:
    if name not in metrics:
        return "-"
    text = f"{factor * metrics[name]:.{digits}f}"
    if f"{name}_low" in metrics:
        low, high = (f"{factor * metrics[name + end]:.{digits}f}" for end in ("_low", "_high"))
        text += f" [{low}-{high}]"
    return text
