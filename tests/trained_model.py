"""A trained model with a random head, and with changed layers where fine-tuning is kept, as training leaves it."""

from pathlib import Path

import numpy as np

from lacuna.config.params import Params
from lacuna.core.feature_store import FeatureLayout
from lacuna.core.head_weights import HeadWeights
from lacuna.core.targets import Targets


def random_head(n_columns: int, n_logits: int, hidden_units: int = 0, seed: int = 0) -> HeadWeights:
    """A head whose logits are about 1 in size on features of about 1."""
    random = np.random.default_rng(seed)
    hidden = None
    if hidden_units:
        hidden = (
            random.normal(size=(n_columns, hidden_units)) / n_columns**0.5,
            random.normal(size=hidden_units),
            random.normal(size=(hidden_units, n_logits)) / hidden_units**0.5,
        )
    return HeadWeights(
        random.normal(size=n_columns) / 2,
        random.uniform(0.5, 2, n_columns),
        random.normal(size=(n_columns, n_logits)) / n_columns**0.5,
        random.normal(size=n_logits),
        hidden,
    )


def write_trained(params: Params, image_size: int, targets: Targets, kept: str = "head") -> None:
    """Write `models/trained` below the working folder; `kept` as `lacuna.training.trained.Trained` names it."""
    from lacuna.features.stages import build_extractor, build_tail
    from lacuna.training.trained import Trained, save_trained

    layout, tail = build_extractor(params.backbone, params.features, image_size).layout, None
    if kept != "head":
        tail = build_tail(params.backbone, params.features, image_size, params.finetune.unfreeze)
        layout = FeatureLayout((*layout.blocks, tail.block))
        random = np.random.default_rng(1)
        weights = tail.means.get_weights()
        tail.means.set_weights([one * random.uniform(0.8, 1.2, one.shape) for one in weights])
    folder = Path("models/trained")
    folder.mkdir(parents=True)
    head = random_head(layout.n_columns, targets.n_logits, params.head.hidden_units)
    save_trained(folder, Trained(kept, layout, params.finetune.unfreeze), head, tail)
