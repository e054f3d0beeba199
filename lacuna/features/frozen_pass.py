"""Running layers that do not learn over many images, one image at a time: no image's numbers depend on its neighbours.

With TensorFlow as Keras' backend OpenVINO runs them, in 32-bit floats and as many images at once as there are cores;
each by one thread, so that the bytes do not depend on the number of cores either.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.features import backend
from lacuna.features.backend import keras
from lacuna.io.openvino_runtime import compile_network, n_cores

Receive = Callable[[int, list[NDArray[np.float32]]], None]


def run_frozen(network: keras.Model, images: Iterable[tuple[int, NDArray[np.uint8]]], receive: Receive) -> None:
    """Run `network` over images uint8 (s, s, 3), each with a number; `receive` gets the number and the outputs.

    The outputs come without the axis of images, in any order, and are only valid during the call.
    """
    if keras.backend.backend() != "tensorflow":
        for number, image in images:
            outputs = network.predict_on_batch(image[None])
            receive(number, [np.asarray(output)[0] for output in (outputs if isinstance(outputs, list) else [outputs])])
        return
    import openvino

    queue = openvino.AsyncInferQueue(compile_network(_converted(network), "f32", streams=n_cores()), n_cores())
    failures: list[Exception] = []

    def finish(request: Any, number: int) -> None:
        try:  # what a callback raises ends the process
            receive(number, [output.data[0] for output in request.output_tensors])
        except Exception as error:
            failures.append(error)

    queue.set_callback(finish)
    for number, image in images:
        queue.start_async({0: np.ascontiguousarray(image[None])}, number)
        if failures:
            break
    queue.wait_all()
    if failures:
        raise failures[0]


def _converted(network: keras.Model) -> Any:
    import openvino

    model = openvino.convert_model(backend.freeze(network).graph)
    model.reshape([1, *network.inputs[0].shape[1:]])
    return model
