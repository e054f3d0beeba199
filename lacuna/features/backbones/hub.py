"""A preset of KerasHub as a backbone: its own layers and weights in Lacuna's network.

A level of its feature pyramid is a block: `p3_…` are the layers that the map P3 needs and P2 does not. What comes above
the last level, and all of a network without a pyramid, is the block `top`.
"""

import math
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from lacuna.errors import LacunaError
from lacuna.features.backend import graft, inputs_of, keras, layers, ops, producer

INSTALL = "pip install regex tokenizers && pip install --no-deps keras-hub==0.32.0"
"""Without --no-deps pip would set kagglehub back and add tensorflow-text, which images need not."""

TOP = "top"

OWN = ("keras_hub", "keras_nlp")
"""KerasHub, and what it was called when the older presets were saved."""

HARMLESS = ("keras.activations", "keras.dtype_policies", "keras.initializers", "keras.regularizers")
"""Modules of Keras whose objects read no file and run no code of a preset; its layers can do both."""


def build(images: Any, preset: str) -> Any:
    """Images (n, s, s, 3), RGB from 0 to 255 → the preset's last feature map (n, h, w, channels).

    preset: what KerasHub's `from_preset` takes. Of tokens (n, tokens, d) those of the patches, which stand last, become
    the map, of an embedding (n, d) a map of one position. Raises LacunaError when KerasHub is missing, cannot load the
    preset, or makes no such network of it.
    """
    network, converter = _load(preset, images.shape[1])
    source, output = _check_ends(network, preset, images.shape[1])
    x = layers.Rescaling(_or(converter.scale, 1.0), _or(converter.offset, 0.0), name="rescale")(images)
    plain = keras.Model(source, output)
    x = graft(plain, x, _names(plain, getattr(network, "pyramid_outputs", {})))
    if len(output.shape) == 4:
        return x
    if len(output.shape) == 2:
        return layers.Reshape((1, 1, output.shape[-1]), name=f"{TOP}_map")(x)
    return PatchMap(_patches_a_side(network, output, images.shape[1]), name=f"{TOP}_map")(x)


class PatchMap(layers.Layer):  # type: ignore[misc]
    """The last side² tokens as a map: (n, tokens, d) → (n, side, side, d)."""

    def __init__(self, side: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.side = side

    def call(self, tokens: Any) -> Any:
        return ops.reshape(tokens[:, -(self.side**2) :], (-1, self.side, self.side, tokens.shape[-1]))


def _load(preset: str, size: int) -> tuple[Any, Any]:
    """The preset's network, in 32-bit floats and for images of this size if it can be, and its image converter.

    Raises LacunaError, before anything of it is made, when the preset names other classes than KerasHub's.
    """
    try:
        import keras_hub
        from keras_hub.src.utils.preset_utils import check_file_exists, load_json  # no public name for a preset's files
    except ImportError:
        raise LacunaError(f"backbone.name: keras_hub needs the package keras-hub: {INSTALL}") from None
    try:
        _reach_hugging_face(preset)
        config = load_json(preset, "config.json")
        if "registered_name" in config:  # otherwise the format is Transformers' or timm's, which name no classes
            _check_classes(config, f"{preset}: config.json")
            if not check_file_exists(preset, "image_converter.json"):
                raise _without_preprocessing(preset)
            _check_classes(load_json(preset, "image_converter.json"), f"{preset}: image_converter.json")
        converter = keras_hub.layers.ImageConverter.from_preset(preset)
        if not isinstance(converter, keras_hub.layers.ImageConverter):
            raise _without_preprocessing(preset)
        saved = _saved_side(config)
        shape = {} if saved in (None, size) else {"image_shape": (size, size, 3)}
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("error", category=UserWarning, module=r"keras\.")  # weights that a file lacks
                network = keras_hub.models.Backbone.from_preset(preset, dtype="float32", **shape)
        except (TypeError, ValueError, UserWarning):
            if not shape:
                raise
            raise _another_size(preset, saved, size) from None
    except LacunaError:
        raise
    except UserWarning:
        raise _unusable(preset, "its weights do not fit the network of its config.json") from None
    except Exception as error:  # hubs, sockets, JSON, HDF5 and Keras each raise their own
        raise _unusable(preset, " ".join(str(error).split())[:200]) from None
    return network, converter


def _saved_side(config: Any) -> Any:
    """The side of the square images that a preset was saved for, None where it takes any or is not one of Keras."""
    shape = config["config"].get("image_shape") if "registered_name" in config else None
    return shape[0] if shape and shape[0] == shape[1] else None


def _another_size(preset: str, side: Any, size: int) -> LacunaError:
    return LacunaError(
        f"backbone.weights: {preset} takes images of {side} pixels, and features.sizes says {size}; write [{side}]"
    )


def _reach_hugging_face(preset: str) -> None:
    """Fail at once where the hub cannot be reached or has no such preset; KerasHub asks six times in 23 seconds."""
    if preset.startswith("hf://"):
        import huggingface_hub

        repository = preset.removeprefix("hf://")
        if huggingface_hub.try_to_load_from_cache(repository, "config.json") is None:
            huggingface_hub.get_hf_file_metadata(huggingface_hub.hf_hub_url(repository, "config.json"))


def _unusable(preset: str, reason: str) -> LacunaError:
    return LacunaError(
        f"backbone.weights: {preset} cannot be loaded as a preset of KerasHub ({reason}); name a built-in one such as "
        "resnet_18_imagenet, kaggle://…, hf://… or a folder that save_to_preset wrote; without a connection only "
        "folders and what was downloaded before can be loaded"
    )


def _without_preprocessing(preset: str) -> LacunaError:
    return LacunaError(
        f"backbone.weights: {preset} has no image converter, so nothing says which pixels it takes; export the network "
        "to an ONNX file instead (docs/backbones.md)"
    )


def _check_classes(config: Any, where: str) -> None:
    """Raise LacunaError when a preset's file would have Keras make anything but parts of KerasHub."""
    for part in _parts(config):
        module, name = str(part.get("module")), str(part["class_name"])
        own = module.split(".")[0] in OWN and str(part.get("registered_name")).split(">")[0] in OWN
        policy = module == "keras" and name.endswith(("DTypePolicy", "DTypePolicyMap"))
        activation = module == "builtins" and name == "function"
        if not (own or policy or activation or module in HARMLESS):
            raise LacunaError(
                f"backbone.weights: {where} names the class {module}.{name}, expected those of KerasHub alone; nothing "
                "of it was loaded"
            )


def _parts(config: Any) -> Iterator[dict[str, Any]]:
    """Every serialized object in a preset's file, nested ones too."""
    if isinstance(config, dict):
        if "class_name" in config:
            yield config
        for value in config.values():
            yield from _parts(value)
    elif isinstance(config, list):
        for value in config:
            yield from _parts(value)


def _check_ends(network: Any, preset: str, size: int) -> tuple[Any, Any]:
    """The network's input and output. Raises LacunaError when it is not one from images of this size to features."""
    takes, gives = ([tuple(tensor.shape) for tensor in ends] for ends in (network.inputs, network.outputs))
    if [shape[3:] for shape in takes] != [(3,)] or len(gives) != 1 or len(gives[0]) not in (2, 3, 4):
        raise LacunaError(
            f"backbone.weights: {preset} is no network from images to features: expected an input (n, h, w, 3) and an "
            f"output (n, h, w, d), (n, tokens, d) or (n, d), received {_listed(takes)} and {_listed(gives)}"
        )
    height, width = (side or size for side in takes[0][1:3])
    if height != width:
        raise LacunaError(f"backbone.weights: {preset} takes images of {height} x {width} pixels, expected square ones")
    if height != size:
        raise _another_size(preset, height, size)
    return network.inputs[0], network.outputs[0]


def _listed(shapes: list[tuple[Any, ...]]) -> str:
    return ", ".join(f"({', '.join(str(length or 'n') for length in shape)})" for shape in shapes)


def _patches_a_side(network: Any, tokens: Any, size: int) -> int:
    """How many patches a side has: the network's patch size says it, or, where it merges them, the tokens' number."""
    patch = getattr(network, "patch_size", 1)
    return min(size // (patch[0] if isinstance(patch, list | tuple) else patch), math.isqrt(tokens.shape[1]))


def _names(model: keras.Model, pyramid: Mapping[str, Any]) -> dict[str, str]:
    """Names for a model's operations by those they have, which may count what the process built before.

    pyramid: the maps of its levels, from the image up. A name is block, kind and place, as in p3_conv2d_19.
    """
    operations = {operation.name: operation for operation in model.operations}
    blocks: dict[str, str] = {}
    for level, tensor in pyramid.items():
        if len(tensor.shape) == 4 and producer(tensor) in operations:
            waiting = [producer(tensor)]
            while waiting:
                name = waiting.pop()
                if name not in blocks:
                    blocks[name] = re.sub(r"[^0-9a-z]", "", level.lower())
                    waiting += [producer(needed) for needed in inputs_of(operations[name])]
    above = [name for name in operations if name not in blocks]
    learns = any(getattr(operations[name], "weights", ()) for name in above)
    blocks |= dict.fromkeys(above, TOP if learns or not blocks else [*blocks.values()][-1])
    return {
        name: f"{blocks[name]}_{type(operation).__name__.lower()}_{place}"
        for place, (name, operation) in enumerate(operations.items())
    }


def _or(value: Any, otherwise: float) -> Any:
    return otherwise if value is None else value
