"""From uploads to answers: decoding in a bounded pool of threads, networks in one thread, both within the deadline."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from lacuna.core.working_image import content_box
from lacuna.data.images.decode import UnreadableImageError, read_size
from lacuna.errors import LacunaError
from lacuna.inference.prediction import HeatMap
from lacuna.inference.predictor import NetworkInputs
from lacuna.io.openvino_runtime import n_cores
from lacuna.presentation import overlay
from lacuna.serving import refusals
from lacuna.serving.answers import Merged, merge
from lacuna.serving.metrics import ServiceMetrics
from lacuna.serving.models import ServedModel, described
from lacuna.serving.queue import Queue
from lacuna.serving.refusals import RefusedError
from lacuna.serving.rehearsal import load_rehearsed
from lacuna.serving.settings import Settings
from lacuna.serving.slow_images import refuse_slow

logger = logging.getLogger(__name__)


class Engine:
    """Predicts and explains images by the loaded models, and loads others meanwhile."""

    def __init__(self, settings: Settings, models: Sequence[ServedModel], metrics: ServiceMetrics) -> None:
        self._settings, self._metrics = settings, metrics
        self._decoders = ThreadPoolExecutor(n_cores(), "decode")
        self._network = ThreadPoolExecutor(1, "network")
        self._queue = Queue(settings.limits.max_queue, metrics.queue.set)
        self._models = tuple(models)
        self._reloading = asyncio.Lock()

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
        with self._queue.places(1):
            async with self._deadline():
                decoded = await self._decode(model, content)
                ((wanted, pixels),) = decoded.items()

                def explained() -> tuple[HeatMap, str]:
                    found = model.predictor.explain(pixels, target, class_name)
                    box = content_box(*read_size(content), len(pixels), wanted.resize)
                    return found, overlay.data_url(overlay.overlay(pixels, found.values, box=box))

                return await asyncio.get_running_loop().run_in_executor(self._network, explained)

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

    def close(self) -> None:
        for pool in (self._decoders, self._network):
            pool.shutdown(wait=False, cancel_futures=True)

    async def _predict(self, models: Sequence[ServedModel], content: bytes) -> Merged | RefusedError:
        try:
            decoded = [await self._decode(model, content) for model in models]
        except RefusedError as refusal:
            return refusal

        def predict() -> Merged:
            found = [
                model.predictor.predict_decoded([inputs])[0] for model, inputs in zip(models, decoded, strict=True)
            ]
            return merge(models, found)

        return await asyncio.get_running_loop().run_in_executor(self._network, predict)

    async def _decode(self, model: ServedModel, content: bytes) -> NetworkInputs:
        def decode() -> NetworkInputs:
            refuse_slow(content, model.max_pixels)
            return model.predictor.decode(content)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._decoders, decode)
        except UnreadableImageError as error:
            self._metrics.unreadable.inc()
            raise refusals.unreadable_image(str(error), model.max_pixels) from None

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


def _check_explainable(model: ServedModel, target: str, class_name: str | None) -> None:
    if not model.predictor.explainable:
        raise refusals.not_explainable()
    targets = model.predictor.bundle.targets
    classes = targets[targets.names.index(target)].classes
    if class_name is not None and class_name not in classes:
        raise refusals.unknown_class(class_name, target, classes)
