"""Shares in words."""


def percent(part: float, whole: float = 1) -> str:
    """A share in whole percent that calls nothing 0 or 100 % that is not.

    >>> percent(3, 8497), percent(0, 9), percent(8496, 8497), percent(0.628)
    ('<1 %', '0 %', '>99 %', '63 %')
    """
    share = part / whole if whole else 0.0
    if 0 < share < 0.005:
        return "<1 %"
    return ">99 %" if 0.995 <= share < 1 else f"{100 * share:.0f} %"
