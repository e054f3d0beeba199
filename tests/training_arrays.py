"""What a training reads, as arrays: features that tell two targets, and nothing on disk. It loads no Keras."""

import numpy as np

from lacuna.core.feature_store import ColumnBlock, FeatureInfo, FeatureLayout, FeatureStore
from lacuna.core.manifest import Manifest
from lacuna.core.targets import Target, Targets
from lacuna.training.data import TrainingData
from lacuna.training.statistics import TargetStatistics

KIND = Target("kind", "categorical", ("bag", "shoe", "hat"))
RED = Target("red", "binary", ("absent", "present"))
TARGETS = Targets((KIND, RED))
N = 60
LAYOUT = FeatureLayout((ColumnBlock(32, "top", "mean", 8, top=True),))


def new_data(targets: Targets = TARGETS) -> TrainingData:
    random = np.random.default_rng(0)
    labels = np.stack([random.integers(0, 3, N), random.random(N) < 0.25], axis=1).astype(np.int16)
    features = random.normal(size=(N, 2, 8)).astype(np.float32)
    features[..., :3] += 2 * np.eye(3, dtype=np.float32)[labels[:, 0]][:, None]
    features[..., 3] += 2 * labels[:, 1:]
    features[..., 4:] = 30 + 5 * features[..., 4:]
    labels[random.random(labels.shape) < 0.2] = -1
    names, rows = np.array([f"{i}.png" for i in range(N)]), np.arange(N)
    split = np.array(["train"] * 40 + ["val"] * 10 + ["test"] * 10)
    statistics = {
        "kind": TargetStatistics(0.8, (11, 11, 10), (1.0, 1.0, 1.0)),
        "red": TargetStatistics(0.8, (24, 8), (2 / 3, 2.0)),
    }
    columns = [TARGETS.names.index(name) for name in targets.names]
    return TrainingData(
        targets,
        [statistics[name] for name in targets.names],
        Manifest(names, rows, split, rows, labels[:, columns]),
        FeatureStore(FeatureInfo(LAYOUT, "top_act", 2, "", "ab12"), features, None),
        np.zeros((N, 32, 32, 3), np.uint8),
    )
