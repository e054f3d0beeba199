"""A trained model with a random head, and with changed layers where fine-tuning is kept, as training leaves it."""

from pathlib import Path

import numpy as np

from lacuna.config.params import Params
from lacuna.core.feature_layout import FeatureLayout
from lacuna.core.head_weights import HeadWeights
from lacuna.core.targets import Targets


def random_head(n_columns: int, n_logits: int, hidden_units: int = 0, seed: int = 0) -> HeadWeights:
    """A head whose logits are about 1 in size on features of about 1."""
    random = np.random.default_rng(seed)
    below = hidden_units or n_columns
    hidden = None
    if hidden_units:
        hidden = (random.normal(size=(n_columns, hidden_units)) / n_columns**0.5, random.normal(size=hidden_units))
    weights = random.normal(size=(below, n_logits)) / below**0.5
    return HeadWeights(
        random.normal(size=n_columns) / 2,
        random.uniform(0.5, 2, n_columns),
        weights,
        random.normal(size=n_logits),
        hidden,
    )


def write_trained(params: Params, image_size: int, targets: Targets, kept: str = "head") -> None:
    """Write `models/trained` below the working folder; `kept` as `lacuna.training.trained.Trained` names it."""
    from lacuna.features.stages import build_extractor, cut_extractor
    from lacuna.training.trained import Trained, save_trained

    extractor = build_extractor(params.backbone, params.features, image_size)
    layout, tail = extractor.layout, None
    if kept != "head":
        cut = cut_extractor(extractor, params.finetune.unfreeze)
        below = cut.frozen if kept == "fine-tuned" else extractor.layout
        layout, tail = FeatureLayout((*below.blocks, *cut.tuned.blocks)), cut.tail
        random = np.random.default_rng(1)
        tail.set_weights([weights * random.uniform(0.8, 1.2, weights.shape) for weights in tail.get_weights()])
    folder = Path("models/trained")
    folder.mkdir(parents=True)
    head = random_head(layout.n_columns, targets.n_logits, params.head.hidden_units)
    save_trained(folder, Trained(kept, layout, params.finetune.unfreeze), head, tail)
