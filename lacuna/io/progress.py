"""A progress bar with rate and time left, on a terminal only: logs and pipes stay clean."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def progress(
    items: Iterable[Item], *, total: int | None, what: str, unit: str, size: Callable[[Item], int] = lambda item: 1
) -> Iterator[Item]:
    """Yield `items` unchanged while a bar on stderr counts them: `what`, done of `total` if known, rate, time left.

    size: for how many an item counts once it is done.
    """
    with tqdm(total=total, desc=what, unit=f" {unit}", disable=None) as bar:
        for item in items:
            yield item
            bar.update(size(item))
