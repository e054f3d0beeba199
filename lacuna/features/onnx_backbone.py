"""The backbone `onnx`: what is taken of a file of the user's own, and its features over many images.

Its embedding is the top of the layout, whatever the file makes of its last layer; of feature maps among its outputs
means and deviations are taken as of any backbone's stages.
"""

import contextlib
import hashlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.config.backbone import Backbone
from lacuna.config.blocks import Features
from lacuna.core.feature_store import FEATURES_FOLDER, ColumnBlock, FeatureInfo, FeatureLayout
from lacuna.errors import LacunaError
from lacuna.execution.executor import LOCAL, Executor
from lacuna.features.backbones.resize import resize_matrix
from lacuna.features.feature_shards import ArrayForm, write_feature_shards
from lacuna.features.frozen_pass import openvino_runner
from lacuna.features.onnx_file import OnnxFile, one_line, read_onnx_file, unusable
from lacuna.features.onnx_graph import FEATURES, IMAGES, OnnxBackbone, compose_graph
from lacuna.features.write_store import NOTHING_LEARNS
from lacuna.io.onnx_runtime import open_session
from lacuna.io.openvino_runtime import compile_network
from lacuna.io.sharded_array import checksum, open_rows

MAX_ELEMENTS = 20_000_000
"""The most numbers that the outputs in use may have for an image: 80 MB, more than any map of a common network."""

MAX_DEVIATION = 1e-3
"""How far the features of two runtimes may differ, as a share of the features' size: 32-bit rounding over many layers
takes a tenth of it."""


def build_onnx_backbone(settings: Backbone, features: Features, image_size: int) -> OnnxBackbone:
    """Read the file that `backbone.weights` names, and find out what it puts out at every size of `features.sizes`.

    Raises LacunaError with one line when the file cannot be used so.
    """
    file = read_onnx_file(Path(settings.weights))
    sizes = features.seen(image_size)
    found = {size: _outputs_at(file, size) for size in sizes}
    names = _stage_names(file, found[sizes[0]])
    blocks = [block for size in sizes for block in _column_blocks(file, size, found[size], names, features.stages)]
    matrices = {
        size: None if size == image_size else resize_matrix(image_size, size, settings.interpolation) for size in sizes
    }
    layout = FeatureLayout(tuple(blocks))
    return OnnxBackbone(file, image_size, matrices, settings.mean, settings.std, names, layout)


def write_onnx_features(
    folder: Path, images: Path, backbone: OnnxBackbone, kept: Path, executor: Executor = LOCAL
) -> FeatureInfo:
    """Run the file's network over every image and write the store into `folder`.

    images: the folder of their shards. kept: where shards of features are kept. Raises LacunaError when the network
    cannot be run, or not alike by OpenVINO, one image at a time, and by ONNX Runtime, two at a time: an exported
    network must take any number.
    """
    content = compose_graph(backbone).SerializeToString(deterministic=True)
    _check_runtimes_agree(backbone, content, np.asarray(open_rows(images)[:2]))
    forms = {FEATURES_FOLDER: ArrayForm((1, backbone.layout.n_columns), np.float32)}
    with FileFeatures(backbone, content) as compute:
        digest = hashlib.sha256(content).hexdigest()
        write_feature_shards(folder, images, forms, compute, kept, [digest], executor)
    features = open_rows(folder / FEATURES_FOLDER)
    if len(features) > 1 and all((row == features[0]).all() for row in features):
        raise unusable(backbone.file.path, "it puts out the same numbers for every image; is it the trained network?")
    info = FeatureInfo(backbone.layout, "", 1, NOTHING_LEARNS, checksum(folder / FEATURES_FOLDER))
    info.save(folder)
    return info


class FileFeatures(contextlib.AbstractContextManager["FileFeatures"]):
    """Computes the features of images by the file's network: a `Compute`, open as `ViewFeatures` is."""

    def __init__(self, backbone: OnnxBackbone, content: bytes) -> None:
        """content: what `compose_graph` makes of the backbone."""
        self._backbone = backbone
        self._opened = contextlib.ExitStack()
        run = openvino_runner(lambda: (_one_image(backbone, content), [FEATURES]))
        self._run = self._opened.enter_context(run)

    def __call__(self, images: NDArray[np.uint8], rows: Sequence[int], arrays: Mapping[str, NDArray[Any]]) -> None:
        def receive(row: int, outputs: list[NDArray[np.float32]]) -> None:
            _check_finite(self._backbone, outputs[0])
            arrays[FEATURES_FOLDER][row, 0] = outputs[0]

        self._run(((row, images[row]) for row in rows), receive)

    def __reduce__(self) -> tuple[Any, ...]:
        return _compose_elsewhere, (self._backbone,)

    def __exit__(self, *_: object) -> None:
        self._opened.close()


def _compose_elsewhere(backbone: OnnxBackbone) -> FileFeatures:
    return FileFeatures(backbone, compose_graph(backbone).SerializeToString(deterministic=True))


def features_of(backbone: OnnxBackbone) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """A function of images uint8 (n, s, s, 3): their features (n, n_columns), by OpenVINO on all cores."""
    compiled = compile_network(_one_image(backbone, compose_graph(backbone).SerializeToString()), "f32")
    return lambda images: np.concatenate([compiled(image[None])[FEATURES] for image in images])


def count_weights(backbone: OnnxBackbone) -> int:
    """How many numbers the file holds as weights."""
    return sum(math.prod(tensor.dims) for tensor in backbone.file.model.graph.initializer)


def _outputs_at(file: OnnxFile, size: int) -> dict[str, tuple[int, ...]]:
    """The shapes of the file's outputs for one image of `size` pixels, without its axis, by name in their order.

    Those that are neither embedding nor map, such as a transformer's tokens (n, tokens, d), are left out.
    """
    import openvino

    if file.side not in (0, size):
        raise unusable(
            file.path, f"it takes images of {file.side} pixels, and features.sizes says {size}; write [{file.side}]"
        )
    try:
        model = openvino.Core().read_model(file.path)
        model.reshape([1, 3, size, size] if file.channels_first else [1, size, size, 3])
        shapes = {output.get_any_name(): output.partial_shape for output in model.outputs}
    except RuntimeError as error:
        raise unusable(file.path, f"OpenVINO cannot run it at {size} pixels ({one_line(error)})") from None
    found = {}
    for name in (output.name for output in file.model.graph.output):
        shape = shapes.get(name)
        if shape is not None and shape.rank.is_static and shape.rank.get_length() in (2, 4):
            if shape.is_dynamic or shape.to_shape()[0] != 1:
                raise unusable(file.path, f"its output {name} has the shape {shape} for one image of {size} pixels")
            found[name] = tuple(shape.to_shape())[1:]
    if sum(map(math.prod, found.values())) > MAX_ELEMENTS:
        raise unusable(file.path, f"it puts out more than {MAX_ELEMENTS:,} numbers for an image of {size} pixels")
    return found


def _stage_names(file: OnnxFile, outputs: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """The outputs by the names that the layout has for them: letters, digits and underscores, the embedding last."""
    embeddings = [name for name, shape in outputs.items() if len(shape) == 1]
    if len(embeddings) != 1:
        found = ", ".join(embeddings) or "none"
        raise unusable(file.path, f"expected one output (n, d), the embedding, received {found}")
    maps = [name for name, shape in outputs.items() if len(shape) == 3]
    named = {re.sub(r"\W", "_", name, flags=re.ASCII): name for name in (*maps, *embeddings)}
    if len(named) < len(maps) + 1:
        raise unusable(file.path, "two of its outputs have the same letters and digits in their names; rename one")
    return named


def _column_blocks(
    file: OnnxFile,
    size: int,
    outputs: Mapping[str, tuple[int, ...]],
    names: Mapping[str, str],
    wanted: str | Sequence[str],
) -> list[ColumnBlock]:
    *stages, top = names
    unknown = [] if isinstance(wanted, str) else [name for name in wanted if name not in names]
    if unknown or (not isinstance(wanted, str) and len(set(wanted)) < len(wanted)):
        raise LacunaError(
            f"features.stages: expected all, top or some of {', '.join(names)} (the outputs of {file.path}), each "
            f"once, received {', '.join(wanted)}"
        )
    chosen = [] if wanted == "top" else [name for name in stages if wanted == "all" or name in wanted]
    blocks = []
    for stage in chosen:
        channels = outputs[names[stage]][0 if file.channels_first else -1]
        blocks += [ColumnBlock(size, stage, "mean", channels), ColumnBlock(size, stage, "deviation", channels)]
    return [*blocks, ColumnBlock(size, top, "mean", outputs[names[top]][0], top=True)]


def _one_image(backbone: OnnxBackbone, content: bytes) -> Any:
    import openvino

    try:
        model = openvino.Core().read_model(content)
        model.reshape([1, backbone.image_size, backbone.image_size, 3])
    except RuntimeError as error:
        raise unusable(backbone.file.path, f"OpenVINO cannot run it ({one_line(error)})") from None
    return model


def _check_finite(backbone: OnnxBackbone, features: NDArray[np.float32]) -> None:
    if not np.isfinite(features).all():
        raise unusable(backbone.file.path, "it puts out numbers that are not finite")


def _check_runtimes_agree(backbone: OnnxBackbone, content: bytes, images: NDArray[np.uint8]) -> None:
    path = backbone.file.path
    alone = features_of(backbone)(images)
    _check_finite(backbone, alone)
    try:
        (together,) = open_session(content).run([FEATURES], {IMAGES: images})
    except Exception as error:  # ONNX Runtime's have no common class
        raise unusable(path, f"ONNX Runtime cannot run it with two images at once ({one_line(error)})") from None
    if alone.shape != together.shape or not np.abs(alone - together).max() <= MAX_DEVIATION * np.abs(alone).max():
        raise unusable(
            path, "two images at once give other features than one at a time; export it with a free axis of images"
        )
