"""Run the frozen layers once per image; where layers will be fine-tuned, also for every view.

python -m stages.featurize
"""

from pathlib import Path

from lacuna.config.backbone import ONNX
from lacuna.config.params import Params
from lacuna.features import backend
from lacuna.features.onnx_backbone import build_onnx_backbone, write_onnx_features
from lacuna.features.stages import build_extractor
from lacuna.features.write_store import write_features
from lacuna.io.atomic import atomic_folder
from lacuna.io.sharded_array import open_rows
from stages._run import Facts, cache_folder, open_engine, run

IMAGES = Path("data/images/pixels")


def featurize(params: Params) -> Facts:
    backend.make_reproducible(params.augment.seed)
    n_images, size = open_rows(IMAGES).shape[:2]
    if params.backbone.name == ONNX:
        return _featurize_by_file(params, n_images, size)
    extractor = build_extractor(params.backbone, params.features, size)
    unfreeze = params.finetune.unfreeze if params.finetune.epochs else None
    with atomic_folder(Path("data/features")) as folder, open_engine(params) as engine:
        limits = params.features.max_gb, cache_folder()
        info = write_features(folder, IMAGES, extractor, params.augment, unfreeze, *limits, engine)
    if unfreeze is not None and info.streamed:
        print(f"fine-tuning will read images and run every layer in each epoch: {info.streamed}")
    return {
        "images": n_images,
        "columns": info.layout.n_columns,
        "views": info.views,
        "boundary": info.boundary,
        "streamed": info.streamed,
    }


def _featurize_by_file(params: Params, n_images: int, size: int) -> Facts:
    backbone = build_onnx_backbone(params.backbone, params.features, size)
    print(f"{backbone.file.path} puts out {backbone.describe()}")
    with atomic_folder(Path("data/features")) as folder, open_engine(params) as engine:
        info = write_onnx_features(folder, IMAGES, backbone, cache_folder(), engine)
    return {"images": n_images, "columns": info.layout.n_columns, "views": info.views, "streamed": info.streamed}


if __name__ == "__main__":
    run("featurize", featurize)
