"""Counts in sentences."""


def number_of(n: int, one: str, many: str = "") -> str:
    """The number and what is counted, in the singular or the plural; `many` where that is more than an added s.

    >>> number_of(1, "image"), number_of(1200, "image"), number_of(1, "row repeats", "rows repeat")
    ('1 image', '1,200 images', '1 row repeats')
    """
    return f"{n:,} {one if n == 1 else many or f'{one}s'}"
