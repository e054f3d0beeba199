"""The backbones whose weights need no download, on fashion products: quality, time, speed of the exported network.

python -m benchmarks backbones --fashion FOLDER [--images 1500] [--size 128]

All see images of one size, so that they compare; the sizes their weights were trained on stand in the table.
"""

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.project import change_params, dvc, machine, make_project, run
from lacuna.inference.runtimes import load_network
from lacuna.io.atomic import read_json

FROM_SCRATCH = {
    "backbone.name": "small_cnn",
    "backbone.weights": "none",
    "finetune.unfreeze": "all",
    "finetune.learning_rate": 1e-3,
}
COMPARED: dict[str, dict[str, Any]] = {
    **{
        name: {
            "backbone.name": name,
            "backbone.weights": "imagenet",
            "finetune.unfreeze": 27,
            "finetune.learning_rate": 1e-4,
        }
        for name in ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2", "mobilenet_v2")
    },
    "small_cnn": FROM_SCRATCH,
}
"""What is changed for each: the pretrained learn in their top 27 layers, the small one in all, from scratch."""


def backbones(fashion: Path, images: int, size: int) -> None:
    """Print a Markdown table, a row per backbone."""
    from lacuna.features.backbones import BACKBONES  # here, because it loads Keras

    rows = []
    with tempfile.TemporaryDirectory() as parent:
        project = make_project(Path(parent) / "project", fashion, images, {"data.image_size": size})
        dvc(project, "repro", "--quiet", "prepare")
        for name, changes in COMPARED.items():
            change_params(project, changes)
            features = run(project, "-m", "stages.featurize")
            trainings = sum(run(project, "-m", f"stages.train_{phase}") for phase in ("warmup", "finetune"))
            for stage in ("calibrate", "evaluate", "export"):
                run(project, "-m", f"stages.{stage}")
            metrics = read_json(project / "metrics/validation.json")
            speeds = [milliseconds_per_image(project, batch) for batch in (32, 1)]
            rows.append((name, metrics, features, trainings, speeds))
            print(f"{name}: {metrics['macro']['average_precision']:.4f}", flush=True)

    targets = list(rows[0][1]["targets"])
    print(f"\n{images:,} fashion products, {size} px, validation part, {machine()}\n")
    columns = [
        "backbone", "native px", "macro AP (95 %)", *(f"accuracy {target}" for target in targets),
        "featurize s", "train s", "ms per image, batch 32", "batch 1",
    ]  # fmt: skip
    print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
    for name, metrics, features, trainings, speeds in rows:
        macro = metrics["macro"]
        interval = f"{macro['average_precision_low']:.3f}-{macro['average_precision_high']:.3f}"
        cells = [
            name, str(BACKBONES[name].native_size), f"{macro['average_precision']:.3f} ({interval})",
            *(f"{metrics['targets'][target]['accuracy']:.3f}" for target in targets),
            f"{features:.0f}", f"{trainings:.0f}", *(f"{speed:.1f}" for speed in speeds),
        ]  # fmt: skip
        print("| " + " | ".join(cells) + " |")


def milliseconds_per_image(project: Path, batch: int) -> float:
    """Of the exported network in OpenVINO, decoding not counted: the median of repeats over some two seconds."""
    stored = np.load(project / "data/images/images.npy", mmap_mode="r")
    images = np.ascontiguousarray(stored[:batch])
    infer = load_network(project / "models/export", "openvino")
    infer(images)
    taken: list[float] = []
    while sum(taken) < 2 or len(taken) < 5:
        start = time.perf_counter()
        infer(images)
        taken.append(time.perf_counter() - start)
    return 1000 * median(taken) / len(images)
