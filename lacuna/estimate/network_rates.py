"""What the backbone costs: an image's way through it, as `featurize` runs it, and a step of fine-tuning."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.config.backbone import KERAS_HUB, ONNX, Backbone
from lacuna.config.params import Params
from lacuna.estimate.rates import busy_seconds
from lacuna.features import backend
from lacuna.features.backend import keras, layers
from lacuna.features.freeze_boundary import cut
from lacuna.features.frozen_pass import frozen_runner
from lacuna.features.onnx_backbone import build_onnx_backbone, features_of
from lacuna.features.stages import build_extractor, build_tail, feature_network

WARMED_UP, PASSES, STEPS = 4, 16, 2


@dataclass(frozen=True)
class NetworkRates:
    """forward: processor seconds of an image at all sizes, through all backbones. columns: of its features.

    step, ahead: processor seconds of an image in fine-tuning, learned from or only scored; 0 where nothing is
    fine-tuned. seen, boundary: shapes of an image as the network sees it (None where all is learned) and of its map at
    the freeze boundary, () without fine-tuning.
    """

    forward: float
    columns: int
    step: float = 0.0
    ahead: float = 0.0
    seen: tuple[int, ...] | None = None
    boundary: tuple[int, ...] = ()


def measure_network(params: Params) -> NetworkRates:
    """Measure on images of noise. Layers of Keras have random weights, which are as fast and read nothing.

    Raises LacunaError when the backbone cannot be built.
    """
    size = params.data.image_size
    images = np.random.default_rng(0).integers(0, 256, (WARMED_UP + PASSES, size, size, 3), np.uint8)
    if params.backbone.name == ONNX:
        own = build_onnx_backbone(params.backbone, params.features, size)
        run = features_of(own)
        run(images[:WARMED_UP])
        return NetworkRates(busy_seconds(lambda: run(images[WARMED_UP:])) / PASSES, own.layout.n_columns)
    backbone = _without_weights(params.backbone)
    extractor = build_extractor(backbone, params.features, size)
    forward, columns = _forward(feature_network(extractor), images), extractor.layout.n_columns
    if not params.finetune.epochs:
        return NetworkRates(forward, columns)
    tail = build_tail(backbone, params.features, size, params.finetune.unfreeze)
    trunk = cut(extractor.body, params.finetune.unfreeze).trunk
    step, ahead = _tail(tail.means, params.train.batch_size)
    seen = None if tail.at_image else (extractor.sizes[0], extractor.sizes[0], 3)
    return NetworkRates(forward, columns, step, ahead, seen, tuple(trunk.output_shape[1:]))


def _without_weights(backbone: Backbone) -> Backbone:
    return backbone if backbone.name == KERAS_HUB else backbone.model_copy(update={"weights": "none"})


def _forward(network: keras.Model, images: NDArray[np.uint8]) -> float:
    """Processor seconds of an image, once the network is converted and warm."""
    began: list[float] = []

    def numbered() -> Iterator[tuple[int, NDArray[np.uint8]]]:
        yield from enumerate(images[:WARMED_UP])
        began.append(time.process_time())
        yield from enumerate(images[WARMED_UP:])

    with frozen_runner(network) as run:
        run(numbered(), lambda number, outputs: None)
    return (time.process_time() - began[0]) / PASSES


def _tail(means: keras.Model, batch_size: int) -> tuple[float, float]:
    """Processor seconds of an image that the layers above the boundary learn from, and of one that they only see."""
    model = keras.Sequential([means, layers.Dense(1)])
    model.compile("adam", "mse", jit_compile=backend.jit_compile())
    maps = np.zeros((batch_size, *means.input_shape[1:]), means.input.dtype)
    wanted = np.zeros((batch_size, 1), np.float32)

    def seconds(work: Callable[[], object]) -> float:
        work()  # compiles
        return busy_seconds(lambda: [work() for _ in range(STEPS)]) / (STEPS * batch_size)

    return seconds(lambda: model.train_on_batch(maps, wanted)), seconds(lambda: model.predict_on_batch(maps))
