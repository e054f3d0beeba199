"""Run the frozen layers once per image and view.

python -m stages.featurize
"""

from pathlib import Path

import numpy as np

from lacuna.config.params import Params
from lacuna.features import backend
from lacuna.features.backbones import build_backbone
from lacuna.features.store import write_features
from lacuna.io.atomic import atomic_folder
from stages._run import Facts, run


def featurize(params: Params) -> Facts:
    backend.make_reproducible(params.augment.seed)
    images = np.load("data/images/images.npy", mmap_mode="r")
    backbone = build_backbone(params.backbone, images.shape[1])
    with atomic_folder(Path("data/features")) as folder:
        info = write_features(
            folder,
            images,
            backbone,
            params.finetune.unfreeze,
            params.augment,
            params.features.max_gb,
            params.features.batch_size,
        )
    if info.streamed:
        print(f"fine-tuning will read images and run every layer in each epoch: {info.streamed}")
    return {"images": len(images), "boundary": info.boundary, "streamed": info.streamed}


if __name__ == "__main__":
    run("featurize", featurize)
