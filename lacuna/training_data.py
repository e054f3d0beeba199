"""What both training phases read: targets, statistics, manifest and inputs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.batches import FeatureBatches, ImageBatches
from lacuna.config import Augment, Train
from lacuna.features import FeatureStore
from lacuna.losses import TargetStatistics, load_statistics
from lacuna.manifest import Manifest, Part
from lacuna.targets import Targets


@dataclass(frozen=True)
class LabelledBatches:
    """The images of one part of the split: their inputs in batches, names, groups and labels (n, n_targets)."""

    batches: FeatureBatches | ImageBatches
    manifest: Manifest

    @property
    def labels(self) -> NDArray[np.int16]:
        return self.manifest.labels


@dataclass(frozen=True)
class TrainingData:
    targets: Targets
    statistics: list[TargetStatistics]
    manifest: Manifest
    store: FeatureStore
    images: NDArray[np.uint8]

    @classmethod
    def open(cls, data: Path) -> "TrainingData":
        """Open what ingest, prepare and featurize wrote below `data`; arrays are memory-mapped."""
        targets = Targets.load(data / "prepared/targets.json")
        return cls(
            targets,
            load_statistics(data / "prepared/class_weights.json", targets),
            Manifest.load(data / "prepared/manifest.csv", targets),
            FeatureStore.open(data / "features"),
            np.load(data / "images/images.npy", mmap_mode="r"),
        )

    def part(self, name: Part, inputs: NDArray[Any] | Augment, train: Train) -> LabelledBatches:
        """The part `train`, `val` or `test`, fed from an array of the feature store or, given `Augment`, the images."""
        manifest = self.manifest.part(name)
        if isinstance(inputs, Augment):
            return LabelledBatches(
                ImageBatches(self.images, inputs, manifest.row, train.batch_size, train.seed), manifest
            )
        return LabelledBatches(FeatureBatches(inputs, manifest.row, train.batch_size, train.seed), manifest)

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
