"""The backbones whose weights need no download, on fashion products: quality, time, speed of the exported network.

python -m benchmarks backbones --fashion FOLDER [--images 1500] [--size 128]

Images are stored at this size, and all backbones see them at 224 pixels.
"""

import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.project import change_params, dvc, machine, make_project, run
from lacuna.inference.runtimes import load_network
from lacuna.io.atomic import read_json
from lacuna.io.sharded_array import open_rows

COMPARED = (
    ["efficientnet_lite0"],
    ["efficientnet_lite1"],
    ["efficientnet_lite2"],
    ["mobilenet_v2"],
    ["efficientnet_lite0", "mobilenet_v2"],
)


def backbones(fashion: Path, images: int, size: int) -> None:
    """Print a Markdown table, a row per backbone."""
    rows = []
    with tempfile.TemporaryDirectory() as parent:
        project = make_project(Path(parent) / "project", fashion, images, {"data.image_size": size})
        dvc(project, "repro", "--quiet", "prepare")
        for names in COMPARED:
            name = " and ".join(names)
            change_params(project, {"backbone.name": names if len(names) > 1 else names[0]})
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
        "backbone", "macro AP (95 %)", *(f"accuracy {target}" for target in targets),
        "featurize, processor s", "train", "ms per image, batch 32", "batch 1",
    ]  # fmt: skip
    print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
    for name, metrics, features, trainings, speeds in rows:
        macro = metrics["macro"]
        interval = f"{macro['average_precision_low']:.3f}-{macro['average_precision_high']:.3f}"
        cells = [
            name, f"{macro['average_precision']:.3f} ({interval})",
            *(f"{metrics['targets'][target]['accuracy']:.3f}" for target in targets),
            f"{features:.0f}", f"{trainings:.0f}", *(f"{speed:.1f}" for speed in speeds),
        ]  # fmt: skip
        print("| " + " | ".join(cells) + " |")


def milliseconds_per_image(project: Path, batch: int) -> float:
    """Of the exported network in OpenVINO, decoding not counted: the median of repeats over some two seconds."""
    stored = open_rows(project / "data/images/pixels")
    images = np.ascontiguousarray(stored[:batch])
    infer = load_network(project / "models/export", "openvino")
    infer(images)
    taken: list[float] = []
    while sum(taken) < 2 or len(taken) < 5:
        start = time.perf_counter()
        infer(images)
        taken.append(time.perf_counter() - start)
    return 1000 * median(taken) / len(images)
