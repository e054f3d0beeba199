"""What Keras has no word for: seeds, determinism, log noise. The only file that imports tensorflow.

Import it before keras: it chooses the backend (TensorFlow, unless KERAS_BACKEND says otherwise).
"""

import os
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")

import keras


def make_reproducible(seed: int) -> None:
    """Seed Python, NumPy and the backend, and have every operation give the same bits in every run."""
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.experimental.enable_op_determinism()


def jit_compile() -> bool | str:
    """What to pass to `Model.compile`: XLA on the CPU makes TensorFlow's convolutions ten times slower."""
    return False if keras.backend.backend() == "tensorflow" else "auto"


def freeze(model: keras.Model) -> Any:
    """Return the inference of a network with one input as a TensorFlow function whose weights are constants.

    Its graph has no input but the images, as converters want it. Needs the TensorFlow backend.
    """
    import tensorflow
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    images = tensorflow.TensorSpec(model.inputs[0].shape, model.inputs[0].dtype)
    infer = tensorflow.function(lambda images: model(images, training=False), input_signature=[images])
    return convert_variables_to_constants_v2(infer.get_concrete_function())
