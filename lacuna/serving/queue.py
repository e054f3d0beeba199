"""The bound on what is worked on: a full queue refuses instead of growing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lacuna.serving.refusals import busy


class Queue:
    """Counts the images of all requests that are decoded or wait for the network; `observe` is told the number."""

    def __init__(self, capacity: int, observe: Callable[[int], None]) -> None:
        self._capacity, self._observe = capacity, observe
        self._length = 0

    @contextmanager
    def places(self, n_images: int) -> Iterator[None]:
        """Hold places for the images of one request, all or none. Raises RefusedError (503) when some lack."""
        if self._length + n_images > self._capacity:
            raise busy("queue_full", f"the queue of {self._capacity} images is full")
        self._change(n_images)
        try:
            yield
        finally:
            self._change(-n_images)

    def _change(self, n_images: int) -> None:
        self._length += n_images
        self._observe(self._length)
