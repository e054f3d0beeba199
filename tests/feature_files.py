"""The feature store on disk, as featurize leaves it where nothing will be fine-tuned."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.core.feature_store import FEATURES_FOLDER, FeatureInfo, FeatureLayout
from tests.shards import save_rows


def write_store(folder: Path, features: NDArray[np.float32], layout: FeatureLayout) -> None:
    """features: (n_images, n_columns), those of the clean view."""
    folder.mkdir(parents=True)
    save_rows(folder / FEATURES_FOLDER, features[:, None])
    FeatureInfo(layout, "", 1, "none are needed", "").save(folder)
