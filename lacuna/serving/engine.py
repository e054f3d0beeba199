"""From uploads to answers: decoding in a bounded pool of threads, networks in one thread, both within the deadline."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass

from lacuna.data.images.decode import UnreadableImageError
from lacuna.data.images.formats import FORMATS
from lacuna.errors import LacunaError
from lacuna.inference.prediction import HeatMap, UnnamedPrediction
from lacuna.inference.predictor import NetworkInputs
from lacuna.inference.runtimes import n_cores
from lacuna.presentation import overlay
from lacuna.serving.answers import Merged, merge
from lacuna.serving.batching import Batcher
from lacuna.serving.metrics import Metrics
from lacuna.serving.models import Model, described, load_models
from lacuna.serving.queue import Queue
from lacuna.serving.refusals import RefusedError, busy
from lacuna.serving.settings import Settings
from lacuna.serving.slow_images import refuse_slow

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Loaded:
    """A model with the images that wait for it: a request stays with it, whatever is loaded meanwhile."""

    model: Model
    batcher: Batcher[NetworkInputs, UnnamedPrediction]


class Engine:
    """Answers images by the models that are loaded, and loads others while it does."""

    def __init__(self, settings: Settings, models: Sequence[Model], metrics: Metrics) -> None:
        self._settings, self._metrics = settings, metrics
        self._decoders = ThreadPoolExecutor(n_cores(), "decode")
        self._network = ThreadPoolExecutor(1, "network")
        self._queue = Queue(settings.limits.max_queue, metrics.queue.set)
        self._loaded = self._with_batchers(models)
        self._reloading = asyncio.Lock()

    @property
    def models(self) -> list[Model]:
        return [one.model for one in self._loaded]

    async def predict(self, contents: Sequence[bytes]) -> list[Merged | RefusedError]:
        """What the models say of each image file, or why it cannot be read. Raises RefusedError without room."""
        loaded = self._loaded
        with self._queue.places(len(contents)):
            async with self._deadline():
                return list(await asyncio.gather(*(self._predict(loaded, content) for content in contents)))

    async def explain(self, content: bytes, key: str, class_name: str | None) -> tuple[HeatMap, str]:
        """The heat map of a target, by its name in answers, and the picture of it as a data: address.

        Raises RefusedError for a target, class or image that won't do, and when the model is not explainable.
        """
        model, target = self._owner(key)
        _check_explainable(model, target, class_name)
        with self._queue.places(1):
            async with self._deadline():
                decoded = await self._decode(model, content)
                (pixels,) = decoded.values()

                def explained() -> tuple[HeatMap, str]:
                    found = model.predictor.explain(pixels, target, class_name)
                    return found, overlay.data_url(overlay.overlay(pixels, found.values))

                return await asyncio.get_running_loop().run_in_executor(self._network, explained)

    async def reload(self) -> None:
        """Load the bundles anew and answer by them from the next request on; keep the old ones when one is bad."""
        async with self._reloading:
            try:
                models = await asyncio.to_thread(load_models, self._settings)
            except (LacunaError, OSError) as error:
                self._metrics.reloads.labels("refused").inc()
                logger.error("error: %s; still serving %s", error, described(self.models))
            else:
                self._loaded = self._with_batchers(models)
                self._metrics.reloads.labels("done").inc()
                logger.info("now serving %s", described(models))

    def close(self) -> None:
        for pool in (self._decoders, self._network):
            pool.shutdown(wait=False, cancel_futures=True)

    def _with_batchers(self, models: Sequence[Model]) -> tuple[_Loaded, ...]:
        max_batch, observe = self._settings.limits.max_batch, self._metrics.batches.observe
        return tuple(
            _Loaded(one, Batcher(one.predictor.predict_decoded, self._network, max_batch, observe)) for one in models
        )

    async def _predict(self, loaded: Sequence[_Loaded], content: bytes) -> Merged | RefusedError:
        try:
            decoded = [await self._decode(one.model, content) for one in loaded]
        except RefusedError as refusal:
            return refusal
        answers = await asyncio.gather(*(one.batcher(image) for one, image in zip(loaded, decoded, strict=True)))
        return merge([one.model for one in loaded], answers)

    async def _decode(self, model: Model, content: bytes) -> NetworkInputs:
        def decode() -> NetworkInputs:
            refuse_slow(content, model.max_pixels)
            return model.predictor.decode(content)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._decoders, decode)
        except UnreadableImageError as error:
            self._metrics.unreadable.inc()
            raise unreadable(str(error), model.max_pixels) from None

    @asynccontextmanager
    async def _deadline(self) -> AsyncIterator[None]:
        seconds = self._settings.limits.timeout_s
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise busy("timed_out", f"no answer within {seconds:g} s") from None

    def _owner(self, key: str) -> tuple[Model, str]:
        owners = {one.model.keys[name]: (one.model, name) for one in self._loaded for name in one.model.keys}
        if key not in owners:
            raise RefusedError(400, "unknown_target", f"target {key[:100]!r}: expected one of {', '.join(owners)}")
        model, name = owners[key]
        return model, name


def _check_explainable(model: Model, target: str, class_name: str | None) -> None:
    if not model.predictor.explainable:
        message = "heat maps need a single network whose head has no hidden layer, and this model has another"
        raise RefusedError(501, "not_explainable", message, extra={"explainable": False})
    classes = next(one.classes for one in model.predictor.bundle.targets if one.name == target)
    if class_name is not None and class_name not in classes:
        raise RefusedError(
            400, "unknown_class", f"class {class_name[:100]!r} of {target}: expected one of {', '.join(classes)}"
        )


def unreadable(reason: str, max_pixels: int) -> RefusedError:
    message = f"{reason}; expected an image ({', '.join(FORMATS)}) of at most {max_pixels:,} pixels"
    return RefusedError(400, "unreadable_image", message)
