"""What both training phases read: targets, statistics, manifest and inputs."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.config.blocks import Train
from lacuna.config.params import Params
from lacuna.core.feature_store import FeatureStore
from lacuna.core.head_weights import FEATURES_AT_ONCE, HeadWeights
from lacuna.core.manifest import Manifest, Part
from lacuna.core.targets import Targets
from lacuna.errors import LacunaError
from lacuna.io.sharded_array import open_rows
from lacuna.training.batches import FeatureBatches, ImageBatches, ResampledBatches
from lacuna.training.statistics import TargetStatistics, load_statistics


@dataclass(frozen=True)
class LabelledBatches:
    """Inputs in batches and their labels (n, n_targets)."""

    batches: FeatureBatches | ImageBatches | ResampledBatches
    labels: NDArray[np.int16]


@dataclass(frozen=True)
class TrainingData:
    """`targets`, `statistics` and the manifest's labels are those of the learned targets."""

    targets: Targets
    statistics: list[TargetStatistics]
    manifest: Manifest
    store: FeatureStore
    images: NDArray[np.uint8]

    @classmethod
    def open(cls, data: Path, train: Train) -> "TrainingData":
        """Open what ingest, prepare and featurize wrote below `data`; arrays are memory-mapped.

        Raises LacunaError when `train` names a target that is not there.
        """
        targets, manifest = open_labels(data / "prepared", train)
        return cls(
            targets,
            load_statistics(data / "prepared/class_weights.json", targets),
            manifest,
            FeatureStore.open(data / "features"),
            open_rows(data / "images/pixels"),
        )

    def feature_batches(self, name: Part, train: Train) -> LabelledBatches:
        """All features of the part `train`, `val` or `test`."""
        part = self.manifest.part(name)
        return LabelledBatches(
            FeatureBatches((self.store.features,), part.row, train.batch_size, train.seed), part.labels
        )

    def boundary_batches(self, name: Part, train: Train, head: HeadWeights) -> LabelledBatches:
        """The maps at the freeze boundary of a part, and the logits that a head gives to the same views."""
        part, (n_images, views) = self.manifest.part(name), self.store.features.shape[:2]
        assert self.store.boundary is not None
        logits = np.zeros((n_images, views, len(head.bias)), np.float32)
        for view in range(views):
            logits[part.row, view] = head_logits(head, self, name, view)
        read = FeatureBatches((self.store.boundary, logits), part.row, train.batch_size, train.seed)
        return LabelledBatches(read, part.labels)

    def image_batches(self, name: Part, params: Params) -> LabelledBatches:
        """The images of a part, changed anew in every epoch of training."""
        part, train = self.manifest.part(name), params.train
        read = ImageBatches(self.images, params.augment, part.row, train.batch_size, train.seed)
        return LabelledBatches(read, part.labels)

    def identity(self) -> list[NDArray[Any] | str]:
        """What tells this data from any other, for the fingerprint of a training."""
        return [
            self.store.info.checksum,
            str(self.targets.to_json()),
            str(self.statistics),
            self.manifest.row,
            self.manifest.split,
            self.manifest.labels,
        ]


def head_logits(head: HeadWeights, data: TrainingData, part: Part, view: int = 0) -> NDArray[np.float32]:
    """The logits (n, n_logits) of a head on a view of a part's images, whose features are read piece by piece."""
    rows = data.manifest.part(part).row
    logits = np.empty((len(rows), len(head.bias)), np.float32)
    for start in range(0, len(rows), FEATURES_AT_ONCE):
        piece = slice(start, start + FEATURES_AT_ONCE)
        logits[piece] = head.logits(np.asarray(data.store.features[rows[piece], view]))
    return logits


def open_labels(prepared: Path, train: Train) -> tuple[Targets, Manifest]:
    """The learned targets, and the manifest with the labels of those.

    Raises LacunaError when `train` names a target that is not there.
    """
    every = Targets.load(prepared / "targets.json")
    learned = learned_indices(every, train)
    manifest = Manifest.load(prepared / "manifest.csv", every)
    return every.take(learned), replace(manifest, labels=manifest.labels[:, learned])


def learned_indices(targets: Targets, train: Train) -> list[int]:
    """Where the targets that are learned stand among all, in the order of all.

    Raises LacunaError when `train.targets` or `train.target_weights` names none of them.
    """
    for key, names in (("targets", train.targets), ("target_weights", train.target_weights)):
        for name in names:
            if name not in targets.names:
                raise LacunaError(
                    f"params.yaml: train.{key} names {name!r}, which is no target of the data; "
                    f"its targets are {', '.join(targets.names)}"
                )
    return [index for index, name in enumerate(targets.names) if name in train.targets or not train.targets]
