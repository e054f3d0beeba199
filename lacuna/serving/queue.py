"""The bound on images in work: a full queue refuses instead of growing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lacuna.serving.refusals import queue_full


class Queue:
    """Counts the images of all requests that are being decoded or wait for the network; tells `observe` each change."""

    def __init__(self, capacity: int, observe: Callable[[int], None]) -> None:
        self._capacity, self._observe = capacity, observe
        self._length = 0

    @contextmanager
    def places(self, n_images: int) -> Iterator[None]:
        """Hold places for the images of one request, all or none. Raises RefusedError (503) when there are too few."""
        if self._length + n_images > self._capacity:
            raise queue_full(self._capacity)
        self._change(n_images)
        try:
            yield
        finally:
            self._change(-n_images)

    def _change(self, n_images: int) -> None:
        self._length += n_images
        self._observe(self._length)
