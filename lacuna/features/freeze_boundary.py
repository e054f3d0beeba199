"""Where to cut a backbone: below the freeze boundary nothing learns, above it runs what fine-tuning trains."""

import re
from dataclasses import dataclass
from typing import Any

from lacuna.errors import LacunaError
from lacuna.features.backend import flat_layers, inputs_of, keras, layers, producer

ALL = "all"


@dataclass(frozen=True)
class Cut:
    """A backbone cut in two. The parts share their layers and weights with the whole.

    trunk: images → boundary, frozen. tail: boundary → last feature map, its unfrozen layers trainable but for batch
    norm, which stays in inference mode. boundary: the name of the trunk's last layer. at_image: it is the image as it
    is stored, because every layer learns.
    """

    trunk: keras.Model
    tail: keras.Model
    boundary: str
    at_image: bool


def cut(model: keras.Model, unfreeze: int | str) -> Cut:
    """Cut a backbone at the last single-tensor point below its first unfrozen layer, and freeze what is not unfrozen.

    `unfreeze` is a number of layers counted from the top of the backbone, without pooling: 0 puts the boundary at the
    last feature map, all of them at the image. Or it names the lowest unfrozen block, or is `all`. Raises LacunaError
    when the backbone has no such block.
    """
    first_unfrozen = _first_unfrozen(model, unfreeze)
    for index, layer in enumerate(model.layers):
        layer.trainable = index >= first_unfrozen
    for layer in flat_layers(model):
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False
    boundary = max(point for point in _single_tensor_points(model) if point < first_unfrozen)
    tensor = model.layers[boundary].output
    trunk, tail = _between(model.input, tensor), _between(tensor, model.output)
    return Cut(trunk, tail, model.layers[boundary].name, at_image=boundary == 0)


def block_depths(model: keras.Model) -> dict[str, int]:
    """The depth of each backbone layer that can learn, by its name: 0 in the topmost block, 1 in the next below, …

    A layer's name begins with its block's: `b15_project_bn` belongs to b15, `conv5_block3_2_conv` to conv5_block3.
    """
    learning = [
        layer.name
        for layer in reversed(model.layers)
        if layer.weights and not isinstance(layer, layers.Normalization)  # fixed preprocessing
    ]
    depths = {block: depth for depth, block in enumerate(dict.fromkeys(map(block_of, learning)))}
    return {name: depths[block_of(name)] for name in learning}


def block_of(layer: str) -> str:
    """The block that a layer belongs to, by its name. ResNet's blocks have two words, conv5_block3; all others one."""
    found = re.match(r"conv\d+_block\d+|[^_]+", layer)
    return found.group() if found else layer


def _first_unfrozen(model: keras.Model, unfreeze: int | str) -> int:
    """The index of the lowest layer that learns; at least 1, because layer 0 is the image."""
    if unfreeze == ALL:
        return 1
    if isinstance(unfreeze, int):
        return max(len(model.layers) - unfreeze, 1)
    for index, layer in enumerate(model.layers):
        if layer.name == unfreeze or layer.name.startswith(f"{unfreeze}_"):
            return max(index, 1)
    blocks = dict.fromkeys(block_of(name) for name in reversed(block_depths(model)))
    raise LacunaError(
        f"finetune.unfreeze: {model.name} has no block {unfreeze!r}, expected a number of layers, all or one of "
        f"{', '.join(blocks)}"
    )


def _between(tensor: Any, output: Any) -> keras.Model:
    """The part of a network from one of its tensors to another, which may be the same."""
    if tensor is not output:
        return keras.Model(tensor, output)
    same = keras.Input(tensor.shape[1:], dtype=tensor.dtype)
    return keras.Model(same, layers.Identity(dtype=tensor.dtype)(same))


def _single_tensor_points(model: keras.Model) -> list[int]:
    """The indices of the layers whose output is all that the layers above them need."""
    index = {layer.name: i for i, layer in enumerate(model.layers)}
    lowest_need = len(model.layers)
    points = []
    for i in reversed(range(len(model.layers))):
        if lowest_need >= i:
            points.append(i)
        for tensor in inputs_of(model.layers[i]):
            lowest_need = min(lowest_need, index[producer(tensor)])
    return points
