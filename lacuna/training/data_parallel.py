"""One batch on all devices of the backend, each of which computes an equal share of it (`keras.distribution`).

The loss stays that of the whole batch: its gradient is summed over devices in every step, and the weights are the same
on all. A batch that does not divide is filled up with images whose labels are unknown and that weigh nothing. With
JAX as Keras' backend the devices of all processes take part that `jax.distributed` has joined; TensorFlow uses one.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.core.targets import UNKNOWN
from lacuna.errors import LacunaError
from lacuna.features import backend
from lacuna.features.backend import keras
from lacuna.training.batches import BatchInputs
from lacuna.training.windows import RowNumbers, every_image


def use_all_devices() -> None:
    """Have networks that are built from now on learn on all devices, until Keras' session is cleared."""
    devices = backend.devices()
    if len(devices) > 1:
        keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))


def own_share(n: int) -> RowNumbers:
    """Of a batch of n images, the positions of those that this process computes, and -1 for each that fills it up."""
    mesh = keras.distribution.distribution()
    if mesh is None:
        return every_image(n)
    size = math.ceil(n / mesh.num_model_replicas) * mesh.num_model_replicas // mesh.num_processes
    own = np.arange(size) + mesh.data_shard_id * size
    return np.where(own < n, own, -1)


def train_on_batch(model: keras.Model, inputs: BatchInputs, labels: NDArray[np.int16]) -> dict[str, float]:
    """One step of a compiled model; the loss and its weighted metrics, averaged over the images of the batch.

    inputs: of this process's share. labels: of the whole batch (n, n_targets).
    """
    mesh, weights = keras.distribution.distribution(), None
    if mesh is not None:
        n, own = len(labels), own_share(len(labels))
        is_image = own >= 0
        # the loss is divided by the images of all shares, those that fill them up included
        weights = np.where(is_image, len(own) * mesh.num_processes / n, 0).astype(np.float32)
        labels = np.where(is_image[:, None], labels[own], np.int16(UNKNOWN))
    logs: dict[str, float] = model.train_on_batch(inputs, labels, sample_weight=weights, return_dict=True)
    return logs


def check_agreement(epoch: int) -> None:
    """Raises LacunaError unless all processes go on from the same epoch, as they do not after some kills."""
    mesh = keras.distribution.distribution()
    if mesh is None or mesh.num_processes == 1:
        return
    epochs = backend.gather_processes(np.array(epoch)).tolist()
    if len(set(epochs)) > 1:
        raise LacunaError(
            f"the processes have finished {', '.join(map(str, epochs))} epochs, expected the same number of each; "
            "copy runs/checkpoints of one to all, or remove it everywhere"
        )


def gather_predictions(model: keras.Model) -> None:
    """Have every process get what a compiled model of one output predicts for the images of all."""
    mesh, step = keras.distribution.distribution(), model.predict_step
    if mesh is None:
        return

    def gathering_step(*given: Any) -> Any:
        outputs, state = step(*given)
        everywhere = keras.distribution.TensorLayout([None] * len(outputs.shape), mesh.device_mesh)
        return keras.distribution.distribute_tensor(outputs, everywhere), state

    model.predict_step = gathering_step


def predict_on_batch(model: keras.Model, inputs: BatchInputs, n: int) -> NDArray[np.float32]:
    """What a model puts out for a batch of n images, of which `inputs` are this process's share."""
    mesh = keras.distribution.distribution()
    if mesh is not None:
        inputs = keras.tree.map_structure(lambda x: backend.join_shares(x, mesh.get_data_layout(x.shape)), inputs)
    outputs: NDArray[np.float32] = model.predict_on_batch(inputs)
    return outputs[:n]
