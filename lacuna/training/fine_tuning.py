"""Phase 2: the layers above the freeze boundary and the head, from where phase 1 left it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lacuna.config.params import Params
from lacuna.core.feature_layout import FeatureLayout
from lacuna.core.head_weights import HeadWeights
from lacuna.core.manifest import Part
from lacuna.features import backend
from lacuna.features.backend import keras, layers
from lacuna.features.stages import CutExtractor, build_extractor, cut_extractor
from lacuna.training.checkpoint import Checkpoint
from lacuna.training.data import TrainingData
from lacuna.training.loop import Phase, count_parameters, predict_logits, train_phase
from lacuna.training.model import augment_in_graph, build_head, head_weights, set_head
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
    """Train the tail and a copy of the head; then compute the logits of the parts in `predict`.

    checkpoint, on_epoch: as in `train_phase`. A search must leave the test part out of `predict`.
    """
    backend.make_reproducible(params.train.seed)
    settings = params.finetune
    extractor = build_extractor(params.backbone, params.features, data.images.shape[1])
    parts = cut_extractor(extractor, settings.unfreeze)
    top, top_head = _tail_with_head(parts, head, params, data)
    model = top if data.store.boundary is not None else augment_in_graph(parts.trunk, top, params.augment.cutout)
    parameters = count_parameters(model)
    if not on_epoch:
        print(
            f"fine-tuning trains {parameters['parameters_trained']:,} of {parameters['parameters']:,} parameters "
            f"from {parts.boundary} up"
            + (f"; reads images: {data.store.info.streamed}" if data.store.info.streamed else "")
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
        depth_factors(parts.body, settings.layer_decay),
    )
    batches = {
        part: data.boundary_batches(part, params.train, parts.frozen_columns)
        if data.store.boundary is not None
        else data.image_batches(part, params)
        for part in ("train", *dict.fromkeys(("val", *predict)))
    }
    history, best_epoch = train_phase(phase, model, batches["train"], batches["val"], checkpoint, on_epoch)
    logits = {part: predict_logits(model, batches[part]) for part in predict}
    layout = FeatureLayout((*parts.frozen.blocks, *parts.tuned.blocks))
    return FineTuned(parts.tail, head_weights(top_head), layout, logits, history, best_epoch, parameters)


def _tail_with_head(
    parts: CutExtractor, head: HeadWeights, params: Params, data: TrainingData
) -> tuple[keras.Model, keras.Model]:
    """(map at the freeze boundary, frozen columns) → logits; and the head in it, which begins as `head`."""
    boundary = keras.Input(parts.tail.input_shape[1:], name="boundary")
    frozen = keras.Input((parts.frozen.n_columns,), name="frozen")
    tuned = parts.tail(boundary)
    columns = layers.Concatenate(name="columns")([frozen, tuned]) if parts.frozen.n_columns else tuned
    copy = build_head(int(columns.shape[-1]), data.targets, params.head)
    n = head.mean.size
    set_head(copy, take_columns(head, np.concatenate([parts.frozen_columns, _others(parts.frozen_columns, n)])))
    return keras.Model([boundary, frozen], copy(columns)), copy


def _others(columns: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    return np.setdiff1d(np.arange(n), columns)


def take_columns(head: HeadWeights, columns: NDArray[np.intp]) -> HeadWeights:
    """The head on the same features in another order, or on some of them."""
    mean, scale = head.mean[columns], head.scale[columns]
    if head.hidden is None:
        return HeadWeights(mean, scale, head.weights[columns], head.bias)
    return HeadWeights(mean, scale, head.weights, head.bias, (head.hidden[0][columns], head.hidden[1]))


def mean_of_heads(head: HeadWeights, tuned: FineTuned, layout: FeatureLayout) -> tuple[HeadWeights, FeatureLayout]:
    """The mean in logits of a linear head on the columns of `layout` and a fine-tuned network with a linear head.

    It is one linear head: on all pretrained columns, and the tuned ones beside them.
    """
    shared = {block: columns for block, columns in layout.slices()}
    blocks = [block for block in tuned.layout.blocks if block.tuned]
    n, added = layout.n_columns, sum(block.channels for block in blocks)
    mean, scale = np.zeros(n + added), np.ones(n + added)
    weights = np.zeros((n + added, len(head.bias)))
    mean[:n], scale[:n], weights[:n] = head.mean, head.scale, head.weights / 2
    start = n
    for block, columns in tuned.layout.slices():
        to = shared[block] if not block.tuned else slice(start, start + block.channels)
        if block.tuned:
            mean[to], scale[to], start = tuned.head.mean[columns], tuned.head.scale[columns], to.stop
        weights[to] += tuned.head.weights[columns] / 2
    both = HeadWeights(mean, scale, weights, (head.bias + tuned.head.bias) / 2)
    return both, FeatureLayout((*layout.blocks, *blocks))
