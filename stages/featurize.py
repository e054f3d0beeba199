"""Run the frozen layers once per image; where layers will be fine-tuned, also for every view.

python -m stages.featurize
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.config.backbone import ONNX
from lacuna.config.params import Params
from lacuna.features import backend
from lacuna.features.onnx_backbone import build_onnx_backbone, write_onnx_features
from lacuna.features.stages import build_extractor
from lacuna.features.write_store import write_features
from lacuna.io.atomic import atomic_folder
from stages._run import Facts, run


def featurize(params: Params) -> Facts:
    backend.make_reproducible(params.augment.seed)
    images = np.load("data/images/images.npy", mmap_mode="r")
    if params.backbone.name == ONNX:
        return _featurize_by_file(params, images)
    extractor = build_extractor(params.backbone, params.features, images.shape[1])
    unfreeze = params.finetune.unfreeze if params.finetune.epochs else None
    with atomic_folder(Path("data/features")) as folder:
        info = write_features(folder, images, extractor, params.augment, unfreeze, params.features.max_gb)
    if unfreeze is not None and info.streamed:
        print(f"fine-tuning will read images and run every layer in each epoch: {info.streamed}")
    return {
        "images": len(images),
        "columns": info.layout.n_columns,
        "views": info.views,
        "boundary": info.boundary,
        "streamed": info.streamed,
    }


def _featurize_by_file(params: Params, images: NDArray[np.uint8]) -> Facts:
    backbone = build_onnx_backbone(params.backbone, params.features, images.shape[1])
    print(f"{backbone.file.path} puts out {backbone.describe()}")
    with atomic_folder(Path("data/features")) as folder:
        info = write_onnx_features(folder, images, backbone)
    return {"images": len(images), "columns": info.layout.n_columns, "views": info.views, "streamed": info.streamed}


if __name__ == "__main__":
    run("featurize", featurize)
