"""Phase 2: the layers above the freeze boundary learn what the head of phase 1 misses.

A copy of them is trained, and a linear layer on its last feature map's means adds to the head's logits, which stay as
they are. That layer starts at zero, so that epoch 0 is the head. Trained together with the head, its thousands of
weights, which no penalty holds any longer, overfit within an epoch (docs/decisions.md).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lacuna.config.params import Params
from lacuna.core.head_weights import HeadWeights
from lacuna.core.manifest import Part
from lacuna.features import backend
from lacuna.features.augmentation import Augmentation
from lacuna.features.augmentation_draws import CHANGES
from lacuna.features.backend import keras, layers
from lacuna.features.stages import Tail, build_extractor, build_tail, feature_network
from lacuna.training.checkpoint import Checkpoint
from lacuna.training.data import TrainingData
from lacuna.training.data_parallel import use_all_devices
from lacuna.training.loop import Phase, count_parameters, predict_logits, train_phase
from lacuna.training.model import Standardize, build_head, set_head
from lacuna.training.optimizers import depth_factors
from lacuna.training.phases import FineTuned, OnEpoch


def fine_tune(
    params: Params,
    data: TrainingData,
    head: HeadWeights,
    checkpoint: Checkpoint | None = None,
    on_epoch: OnEpoch | None = None,
    predict: Sequence[Part] = ("val", "test"),
) -> FineTuned:
    """Train the tail and the layer on it; then compute the logits of the parts in `predict`.

    checkpoint, on_epoch: as in `train_phase`. A search must leave the test part out of `predict`.
    """
    keras.utils.clear_session()  # a search trains many
    backend.make_reproducible(params.train.seed)
    use_all_devices()
    settings, store, size = params.finetune, data.store, data.images.shape[1]
    tail = build_tail(params.backbone, params.features, size, settings.unfreeze)
    top = store.info.layout.top
    model, residual = _residual_network(tail, len(head.bias), params.head.dropout)
    model.get_layer("standardize").set_weights([head.mean[top], head.scale[top]])
    parts = tuple(dict.fromkeys(("train", "val", *predict)))
    if store.boundary is None:
        model = _from_images(params, data, head, tail, model)
        batches = {part: data.image_batches(part, params) for part in parts}
    else:
        batches = {part: data.boundary_batches(part, params.train, head) for part in parts}
    parameters = count_parameters(model)
    if not on_epoch:
        print(
            f"fine-tuning trains {parameters['parameters_trained']:,} parameters above {tail.boundary}"
            + (f"; reads images: {store.info.streamed}" if store.boundary is None else "")
        )
    phase = Phase(
        "finetune",
        data.targets,
        data.statistics,
        params.train,
        params.optimizer,
        settings.learning_rate,
        settings.epochs,
        settings.patience,
        depth_factors(tail.body, settings.layer_decay),
    )
    history, best_epoch = train_phase(phase, model, batches["train"], batches["val"], checkpoint, on_epoch)
    logits = {part: predict_logits(model, batches[part]) for part in predict}
    weights = np.asarray(residual.get_weights()[0], np.float64)
    return FineTuned(tail, weights, logits, history, best_epoch, parameters)


def _residual_network(tail: Tail, n_logits: int, dropout: float) -> tuple[keras.Model, Any]:
    """(boundary map, logits of the head) → their sum with a linear layer of the tail's means; and that layer."""
    boundary = keras.Input(tail.means.input_shape[1:], dtype=tail.means.input.dtype, name="boundary")
    logits = keras.Input((n_logits,), name="head_logits")
    x = layers.Dropout(dropout, name="dropout")(Standardize(name="standardize")(tail.means(boundary)))
    residual = layers.Dense(n_logits, use_bias=False, kernel_initializer="zeros", name="residual")
    return keras.Model([boundary, logits], layers.Add(name="sum")([logits, residual(x)])), residual


def _from_images(params: Params, data: TrainingData, head: HeadWeights, tail: Tail, model: keras.Model) -> keras.Model:
    """(images, changes to them) → what `model` puts out: frozen layers and head run in every epoch."""
    size = data.images.shape[1]
    frozen = feature_network(build_extractor(params.backbone, params.features, size), tail.boundary)
    fixed = build_head(head.mean.size, data.targets, params.head.model_copy(update={"hidden_units": head.n_hidden}))
    set_head(fixed, head)
    frozen.trainable = fixed.trainable = False
    image, changes = keras.Input((size, size, 3), dtype="uint8"), keras.Input((CHANGES,), name="changes")
    # in inference mode: dropout between the blocks belongs to layers that learn
    features, boundary = frozen(Augmentation(params.augment.cutout)([image, changes]), training=False)
    return keras.Model([image, changes], model([boundary, fixed(features, training=False)]))
