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


def with_end(text: str, most: int = 80) -> str:
    """The text, printable; of a longer one the end, where paths differ.

    >>> with_end("photos/of/shoes/1.png", 10)
    '...s/1.png'
    """
    shown = printable(text)
    return shown if len(shown) <= most else "..." + shown[3 - most :]


def first_few(names: Sequence[str], most: int = 3) -> str:
    """The first names, printable, and an ellipsis where there are more.

    >>> first_few(["a.png", "b.png", "c.png", "d.png"])
    'a.png, b.png, c.png, ...'
    """
    return ", ".join(map(printable, names[:most])) + (", ..." if len(names) > most else "")


def shortened(name: str, most: int = 80) -> str:
    """The name, printable and quoted, at most so many characters of it: a file that is not what it seems has long ones.

    >>> shortened("abcdefgh", 5)
    "'abcde...'"
    """
    return f"'{printable(name[:most])}{'...' if len(name) > most else ''}'"


def listed(names: Sequence[str], most: int = 300) -> str:
    """The names in quotes, as many as fit into so many characters, and how many more there are.

    >>> listed(["a", "b", "c"], 8)
    "'a', 'b' and 1 more"
    """
    shown: list[str] = []
    for name in names:
        shown.append(shortened(name))
        if len(", ".join(shown)) > most:
            shown.pop()
            break
    left = len(names) - len(shown)
    return ", ".join(shown) + (f"{' and ' if shown else ''}{left} more" if left else "")
