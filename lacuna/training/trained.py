"""The trained model in a folder: what was kept of head and fine-tuning, and how to build its network again.

`model.json`: the layout of its features, where fine-tuning began, and what was kept. `head.npz`: the head on those
features. `tail.weights.h5`: the fine-tuned layers, where any are kept. What is frozen comes from the backbone's own
weights.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lacuna.config.backbone import Backbone
from lacuna.config.blocks import Features, Head
from lacuna.core.feature_store import FeatureLayout
from lacuna.core.head_weights import HeadWeights
from lacuna.core.targets import Targets
from lacuna.errors import LacunaError
from lacuna.io.atomic import read_json, write_json

if TYPE_CHECKING:
    from lacuna.features.stages import Tail
    from lacuna.training.model import TrainedNetwork

MODEL, HEAD, TAIL = "model.json", "head.npz", "tail.weights.h5"


@dataclass(frozen=True)
class Trained:
    """`kept`: which of the candidates it is, head, fine-tuned or mean. `unfreeze`: from where up layers are tuned."""

    kept: str
    layout: FeatureLayout
    unfreeze: int | str


def save_trained(folder: Path, trained: Trained, head: HeadWeights, tail: "Tail | None") -> None:
    """Write a trained model into an empty folder. tail: the fine-tuned layers, None where none are kept.

    Keras is only loaded where some are.
    """
    head.save(folder / HEAD)
    if tail is not None:
        from lacuna.training.model import save_weights

        save_weights(tail.means, folder / TAIL)
    content = {"kept": trained.kept, "layout": trained.layout.to_json(), "unfreeze": trained.unfreeze}
    write_json(folder / MODEL, content)


def read_trained(folder: Path) -> Trained:
    content = read_json(folder / MODEL)
    return Trained(content["kept"], FeatureLayout.from_json(content["layout"]), content["unfreeze"])


def load_trained(
    backbone: Backbone, features: Features, image_size: int, targets: Targets, folder: Path
) -> "TrainedNetwork":
    """The network that `save_trained` wrote, images uint8 (n, size, size, 3) → logits float32 (n, n_logits).

    Raises LacunaError when a file is missing or does not fit.
    """
    from lacuna.features.backbones import load_weights
    from lacuna.training.model import set_head

    trained, head = read_trained(folder), HeadWeights.load(folder / HEAD)
    if head.weights.shape != (trained.layout.n_columns, targets.n_logits):
        raise LacunaError(f"{folder}: {HEAD} does not fit {MODEL} or the targets; run `dvc repro train_finetune`")
    network = empty_network(backbone, features, image_size, targets, trained, head.n_hidden)
    if network.tail is not None:
        load_weights(network.tail.means, folder / TAIL, "fine-tuned layers")
    set_head(network.head, head)
    return network


def empty_network(
    backbone: Backbone, features: Features, image_size: int, targets: Targets, trained: Trained, hidden_units: int
) -> "TrainedNetwork":
    """A network of this structure whose head, and whose fine-tuned layers if any, are still to be filled.

    Raises LacunaError when the model was trained on other features than `backbone` and `features` name.
    """
    from lacuna.features.stages import build_extractor, build_tail, layout_with
    from lacuna.training.model import build_head, build_network

    extractor = build_extractor(backbone, features, image_size)
    fine_tuned = any(block.tuned for block in trained.layout.blocks)
    tail = build_tail(backbone, features, image_size, trained.unfreeze) if fine_tuned else None
    if layout_with(extractor.layout, tail) != trained.layout:
        raise LacunaError(
            "the model was trained on other features than params.yaml names; run `dvc repro train_finetune`"
        )
    head = build_head(trained.layout.n_columns, targets, Head(dropout=0.0, hidden_units=hidden_units))
    return build_network(extractor, head, tail)
