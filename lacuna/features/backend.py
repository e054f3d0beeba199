"""Keras and its backend, and what Keras itself does not offer: determinism, quiet logs, frozen graphs.

The only module that imports keras and tensorflow; all others write `from lacuna.features.backend import keras, layers,
ops`. The backend is chosen before the import: TensorFlow, unless KERAS_BACKEND says otherwise. Keras' private functions
are used here only.
"""

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from lacuna.errors import LacunaError

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextlib.contextmanager
def silence_native_stderr() -> Iterator[None]:
    """Drop what native code writes to stderr. TensorFlow 2.21 greets with six lines there that no setting turns off."""
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


with silence_native_stderr():
    import keras
    from keras import layers, ops

__all__ = ["keras", "layers", "ops"]


def make_reproducible(seed: int) -> None:
    """Seed Python, NumPy and the backend, and have every operation give the same bits in every run."""
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.experimental.enable_op_determinism()


def jit_compile() -> bool | str:
    """What to pass to `Model.compile`: XLA on the CPU makes TensorFlow's convolutions ten times slower."""
    return False if keras.backend.backend() == "tensorflow" else "auto"


def devices() -> list[str]:
    """The devices that a network may learn on: JAX's, those of other processes included; of TensorFlow one.

    Processes join where the environment names them, as `keras.distribution.initialize` reads it: before JAX computes.
    """
    if keras.backend.backend() != "jax":
        return ["default"]
    import jax

    if "KERAS_DISTRIBUTION_NUM_PROCESSES" in os.environ and not jax.distributed.is_initialized():
        keras.distribution.initialize()
    return list(keras.distribution.list_devices())


def join_shares(array: Any, layout: Any) -> Any:
    """The array of JAX whose rows lie on the devices of a layout, given those that this process has."""
    import jax

    return jax.make_array_from_process_local_data(layout.backend_layout, array)  # type: ignore[no-untyped-call]


def gather_processes(array: Any) -> Any:
    """The arrays of all processes of JAX, along a new first axis."""
    from jax.experimental.multihost_utils import process_allgather

    return process_allgather(array)


def flat_layers(model: keras.Model) -> list[Any]:
    """All layers of a model, those inside of other layers included."""
    return list(model._flatten_layers())


def inputs_of(layer: Any) -> list[Any]:
    """The tensors that a layer takes where it was first called; none for an input layer."""
    return list(layer._inbound_nodes[0].input_tensors) if layer._inbound_nodes else []


def producer(tensor: Any) -> str:
    """The name of the layer that a tensor comes out of."""
    return str(tensor._keras_history.operation.name)


def graft(model: keras.Model, tensor: Any, names: Mapping[str, str]) -> Any:
    """Call the layers of a functional model of one input on another tensor; return its output there.

    names: the new name of each of its operations by the old one. Operations that are no layers become layers. The model
    itself is used up: its layers forget the graph that they were in.
    """
    for operation in model.operations:
        operation._inbound_nodes.clear()
        operation._outbound_nodes.clear()
        operation.name = names[operation.name]

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        return operation(*args, **kwargs) if isinstance(operation, layers.Layer) else _as_layer(operation, args, kwargs)

    return model._run_through_graph([tensor], call_fn=call)


def _as_layer(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What an operation that is no layer gives for these arguments, by way of a layer of its name."""

    def compute(tensors: list[Any]) -> Any:
        given = iter(tensors)
        filled = keras.tree.map_structure(lambda x: next(given) if _symbolic(x) else x, (args, kwargs))
        return operation(*filled[0], **filled[1])

    return layers.Lambda(compute, name=operation.name)([x for x in keras.tree.flatten((args, kwargs)) if _symbolic(x)])


def _symbolic(value: Any) -> bool:
    return isinstance(value, keras.KerasTensor)


def identity(model: keras.Model) -> list[Any]:
    """What tells what a model computes from any other, for a digest: backend and versions, layers, weights."""
    versions = [f"{name} {version(name)}" for name in ("keras", "openvino", keras.backend.backend())]
    configs = [(type(layer).__name__, _config(layer)) for layer in flat_layers(model)]
    return [*versions, json.dumps(configs, sort_keys=True, default=repr), *map(np.asarray, model.get_weights())]


def _config(layer: Any) -> dict[str, Any]:
    """A layer's configuration; of one that states none, as some of KerasHub's, its plain attributes."""
    try:
        stated: dict[str, Any] = layer.get_config()
    except NotImplementedError:
        plain = (bool, int, float, str, type(None))
        stated = {name: value for name, value in vars(layer).items() if isinstance(value, plain)}
    return stated


def freeze(model: keras.Model) -> Any:
    """Return a TensorFlow function of the model's inference, its weights constants of its graph.

    The converters to OpenVINO and ONNX read that graph. Tracing with constants in the place of variables is faster than
    TensorFlow's own conversion of variables, and so are the converters after it; operations that no output needs, such
    as those of gradients, stay in it. Raises LacunaError on another backend.
    """
    if keras.backend.backend() != "tensorflow":
        raise LacunaError(f"export needs KERAS_BACKEND=tensorflow, received {keras.backend.backend()}")
    import tensorflow

    weights = [(variable, np.asarray(variable)) for variable in model.variables]

    def infer(images: Any) -> Any:
        with keras.StatelessScope([(variable, tensorflow.constant(value)) for variable, value in weights]):
            return model(images, training=False)

    images = tensorflow.TensorSpec(model.inputs[0].shape, model.inputs[0].dtype)
    return tensorflow.function(infer, autograph=False).get_concrete_function(images)
