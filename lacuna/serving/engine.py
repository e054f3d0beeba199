"""From uploads to answers, within the deadline: an image is decoded and predicted in one thread, what may take long to
decode in a process that can be stopped."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from lacuna.core.working_image import content_box
from lacuna.data.images.decoders import Decoders, is_light, memory_to_decode
from lacuna.data.images.headers import TooSlowError, UnreadableImageError, read_image_header
from lacuna.errors import LacunaError
from lacuna.inference.prediction import HeatMap
from lacuna.io.cores import n_cores
from lacuna.presentation import overlay
from lacuna.serving import refusals
from lacuna.serving.answers import Merged, merge
from lacuna.serving.metrics import ServiceMetrics
from lacuna.serving.models import ServedModel, described
from lacuna.serving.queue import Queue
from lacuna.serving.refusals import RefusedError
from lacuna.serving.rehearsal import load_rehearsed
from lacuna.serving.settings import MEGABYTE, Limits, Settings

Worked = TypeVar("Worked")

logger = logging.getLogger(__name__)

LAST_S = 2.0
"""Seconds for decoding an image while the service ends."""


class Engine:
    """Predicts and explains images by the loaded models, and loads others meanwhile."""

    def __init__(self, settings: Settings, models: Sequence[ServedModel], metrics: ServiceMetrics) -> None:
        self._settings, self._metrics = settings, metrics
        self._decoders = Decoders(settings.limits.decode_s, settings.limits.max_decoding_bytes)
        self._decoders.start(n_cores())
        self._light, self._heavy = (ThreadPoolExecutor(n_cores(), name) for name in ("light", "heavy"))
        self._queue = Queue(settings.limits.max_queue, metrics.queue.set)
        self._models = tuple(models)
        self._reloading = asyncio.Lock()
        self._hurried = False

    @property
    def models(self) -> tuple[ServedModel, ...]:
        """Those that the next request is answered by. A request ends with the models it began with."""
        return self._models

    async def predict(self, contents: Sequence[bytes]) -> list[Merged | RefusedError]:
        """The predictions for each image file, or the refusal of one that cannot be read.

        Raises RefusedError when the queue is full or time is up.
        """
        models = self._models
        with self._queue.places(len(contents)):
            async with self._deadline():
                return list(await asyncio.gather(*(self._predict(models, content) for content in contents)))

    async def explain(self, content: bytes, key: str, class_name: str | None) -> tuple[HeatMap, str]:
        """The heat map of a target, by its name in answers, and the picture of it as a data: address.

        Raises RefusedError for an unknown target or class, an unreadable image, a model that is not explainable, and as
        `predict` does.
        """
        model, target = self._owner(key)
        _check_explainable(model, target, class_name)

        def explained() -> tuple[HeatMap, str]:
            decoded, origin = model.predictor.decode_with_origin(content, self._decoders)
            ((wanted, pixels),) = decoded.items()
            found = model.predictor.explain(pixels, target, class_name)
            box = content_box(origin.width, origin.height, len(pixels), wanted.resize)
            return found, overlay.data_url(overlay.overlay(pixels, found.values, box=box))

        with self._queue.places(1):
            async with self._deadline():
                return await self._in_lane([model], content, explained)

    async def reload(self) -> None:
        """Load the bundles again, have them rehearse, and answer by them from then on; keep the old ones when
        one is bad."""
        async with self._reloading:
            try:
                models = await asyncio.to_thread(load_rehearsed, self._settings)
            except (LacunaError, OSError) as error:
                self._metrics.reloads.labels("refused").inc()
                logger.error("error: %s; still serving %s", error, described(self.models))
            else:
                self._models = models
                self._metrics.reloads.labels("done").inc()
                logger.info("now serving %s", described(models))

    def hurry(self) -> None:
        """Keep nobody waiting for an image that takes longer than LAST_S to decode: another service may."""
        self._hurried = True
        self._decoders.hurry(LAST_S)

    def close(self) -> None:
        for pool in (self._light, self._heavy):
            pool.shutdown(wait=False, cancel_futures=True)
        self._decoders.close()

    async def _predict(self, models: Sequence[ServedModel], content: bytes) -> Merged | RefusedError:
        def predicted() -> Merged:
            found = []
            for model in models:
                inputs, _ = model.predictor.decode_with_origin(content, self._decoders)
                found += model.predictor.predict_decoded([inputs])
            return merge(models, found)

        try:
            return await self._in_lane(models, content, predicted)
        except RefusedError as refusal:
            return refusal

    async def _in_lane(self, models: Sequence[ServedModel], content: bytes, work: Callable[[], Worked]) -> Worked:
        """What `work` makes of an image, in a lane that light ones do not share with others: they never wait for those.

        A light one takes one thread for everything: each further one would cost it a turn of the interpreter's lock.
        """

        def admitted() -> Worked | None:
            return work() if _admit(content, limits) else None

        loop, limits = asyncio.get_running_loop(), self._settings.limits
        try:
            done = await loop.run_in_executor(self._light, admitted)
            return await loop.run_in_executor(self._heavy, work) if done is None else done
        except UnreadableImageError as error:
            if self._hurried and isinstance(error, TooSlowError):
                raise refusals.timed_out(LAST_S) from None
            self._metrics.unreadable.inc()
            max_pixels = min(model.max_pixels for model in models)
            raise refusals.unreadable_image(str(error), max_pixels, limits.formats) from None

    @asynccontextmanager
    async def _deadline(self) -> AsyncIterator[None]:
        seconds = self._settings.limits.timeout_s
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise refusals.timed_out(seconds) from None

    def _owner(self, key: str) -> tuple[ServedModel, str]:
        owners = {known: (model, name) for model in self.models for name, known in model.keys.items()}
        if key not in owners:
            raise refusals.unknown_target(key, list(owners))
        model, name = owners[key]
        return model, name


def _admit(content: bytes, limits: Limits) -> bool:
    """Whether an image is light. Raises UnreadableImageError for one that is not taken."""
    header = read_image_header(content)
    if header.format not in limits.formats:
        raise UnreadableImageError(f"{header.format} images are not taken here")
    memory = memory_to_decode(header, len(content))
    if memory > limits.max_decoding_bytes:
        raise UnreadableImageError(
            f"too large: {header.width} x {header.height} pixels of a {header.format} take {memory // MEGABYTE} MB to "
            f"decode, at most {limits.max_decoding_bytes // MEGABYTE} are allowed"
        )
    return is_light(header, content)


def _check_explainable(model: ServedModel, target: str, class_name: str | None) -> None:
    if not model.predictor.explainable:
        raise refusals.not_explainable()
    targets = model.predictor.bundle.targets
    classes = targets[targets.names.index(target)].classes
    if class_name is not None and class_name not in classes:
        raise refusals.unknown_class(class_name, target, classes)
