"""A progress bar with rate and time left, on a terminal only: logs and pipes stay clean."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def progress(items: Iterable[Item], *, total: int | None, what: str, unit: str) -> Iterator[Item]:
    """Yield `items` unchanged while a bar on stderr counts them: `what`, done of `total` if known, rate, time left."""
    yield from tqdm(items, total=total, desc=what, unit=f" {unit}", disable=None)
