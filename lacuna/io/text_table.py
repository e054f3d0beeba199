"""Tables laid out as text."""

from collections.abc import Collection, Sequence


def align(rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> str:
    """Lay out rows as columns of equal width: right-aligned, the columns numbered in `left` left-aligned.

    All rows, including the header, have the same number of cells. A negative number counts from the last column.

    >>> print(align([("target", "F1"), ("red", "100")]))
    target   F1
    red     100
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    starts = {place % len(widths) for place in left} if widths else set()
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place in starts else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
