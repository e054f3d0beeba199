"""Micro-batching: images that arrive while the network runs go through it together next time.

No image waits for a batch to fill: an idle network takes what is there at once. So batches grow under load alone, and
what they cost in latency they give back by the network's higher rate.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Generic, TypeVar

BatchItem = TypeVar("BatchItem")
BatchResult = TypeVar("BatchResult")


class Batcher(Generic[BatchItem, BatchResult]):
    """Calls `run`, a function of many items to as many results, in `thread`, with at most `max_batch` items at a time.

    The number of items that wait is bounded by the caller (`lacuna.serving.queue`). An item whose waiter was cancelled
    is left out. `observe` is told the size of each batch.
    """

    def __init__(
        self,
        run: Callable[[Sequence[BatchItem]], Sequence[BatchResult]],
        thread: Executor,
        max_batch: int,
        observe: Callable[[int], None],
    ) -> None:
        self._run, self._thread, self._max_batch, self._observe = run, thread, max_batch, observe
        self._waiting: deque[tuple[BatchItem, asyncio.Future[BatchResult]]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, item: BatchItem) -> BatchResult:
        """The result of one item. Raises what `run` raised for its batch."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[BatchResult] = loop.create_future()
        self._waiting.append((item, result))
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._work())
        return await result

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while batch := self._take():
            self._observe(len(batch))
            try:
                results = await loop.run_in_executor(self._thread, self._run, [item for item, _ in batch])
            except Exception as error:
                for _, waiter in batch:
                    if not waiter.done():
                        waiter.set_exception(error)
            else:
                for (_, waiter), result in zip(batch, results, strict=True):
                    if not waiter.done():
                        waiter.set_result(result)

    def _take(self) -> list[tuple[BatchItem, asyncio.Future[BatchResult]]]:
        """The items that have waited longest, a power of two of them: a runtime prepares for each new batch size, so
        there should be few sizes."""
        waiting = [(item, waiter) for item, waiter in self._waiting if not waiter.done()]
        size = min(1 << len(waiting).bit_length() - 1, self._max_batch) if waiting else 0
        self._waiting = deque(waiting[size:])
        return waiting[:size]
