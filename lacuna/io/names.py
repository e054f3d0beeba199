"""Names from the user's files, in messages."""

import re
from collections.abc import Sequence

UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, line ends among them, and the surrogates that stand for bytes that are no UTF-8."""


def printable(name: str) -> str:
    r"""The name in one line that every terminal can show: what is UNPRINTABLE is written as escapes.

    >>> print(printable("Ufer\n\udce4.png"))
    Ufer\n\udce4.png
    """
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), name)


def first_few(names: Sequence[str], most: int = 3) -> str:
    """The first names, printable, and an ellipsis where there are more.

    >>> first_few(["a.png", "b.png", "c.png", "d.png"])
    'a.png, b.png, c.png, ...'
    """
    return ", ".join(map(printable, names[:most])) + (", ..." if len(names) > most else "")
