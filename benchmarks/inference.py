"""How fast a bundle answers in each runtime, and what fewer digits cost in quality.

python -m benchmarks inference      in a finished project (after `dvc repro`)

Keras is measured as people use it: `model.predict` with one image or a whole batch, and the plain call `model(images)`.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.project import machine
from lacuna.config.load import load_params
from lacuna.core.predictions import Predictions
from lacuna.core.scores import average_precision, log_loss
from lacuna.data.images.decode import decode
from lacuna.errors import LacunaError
from lacuna.inference.bundle import Bundle, read_bundle
from lacuna.inference.runtimes import RUNTIMES, ExportedNetwork, load_network
from lacuna.io.csv_files import read_csv
from lacuna.io.sharded_array import open_rows

BATCH = 32
ROUNDS, CALLS, BATCHES = 5, 60, 8
"""The ways are measured in turn, this many rounds of calls each, so that a busy moment falls on all of them."""


def inference(root: Path) -> None:
    """Print Markdown tables of times and of quality."""
    folder = root / "models/bundle"
    bundle = read_bundle(folder, "openvino")
    validation = Predictions.load(folder / "validation.npz")
    stored = open_rows(root / "data/images/pixels")
    manifest = read_csv(root / "data/prepared/manifest.csv")
    rows = [int(image["row"]) for image in manifest if image["split"] == "val"]
    images = np.asarray(stored[rows])
    networks = {runtime: network for runtime in RUNTIMES if (network := _load(folder, runtime)) is not None}
    ways = _ways(networks)
    single: dict[str, list[float]] = {way: [] for way in ways}
    batched: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, answer in ways.items():
            single[way] += _seconds(answer, images[:1], CALLS)
            batched[way] += _seconds(answer, images[:BATCH], BATCHES)

    print(f"{images.shape[1]} px, {bundle.members[0].backbone}, {machine()}\n")
    print("| | one image, p50 ms | p99 ms | times Keras `predict` | batch of 32, images/s | times Keras `predict` |")
    print("|---|---|---|---|---|---|")
    slowest, slow_batch = (np.median(times["Keras predict"]) for times in (single, batched))
    for way in ways:
        p50, p99 = np.percentile(single[way], (50, 99))
        batch = np.median(batched[way])
        print(
            f"| {way} | {1000 * p50:.1f} | {1000 * p99:.1f} | {slowest / p50:.1f} | {BATCH / batch:.0f} "
            f"| {slow_batch / batch:.1f} |"
        )
    print(f"\n{_decoding(root, bundle)}\n{_cold_start(root)}\n")
    _print_quality(bundle, validation, images, networks)


def _load(folder: Path, runtime: str) -> ExportedNetwork | None:
    try:
        read_bundle(folder, runtime)
    except LacunaError as error:
        print(f"left out: {error}", file=sys.stderr)
        return None
    return load_network(folder, runtime)


def _ways(networks: dict[str, ExportedNetwork]) -> dict[str, Callable[[NDArray[np.uint8]], Any]]:
    from lacuna.export.keras_runtime import load_model

    model = load_model(Path("models/bundle")).model
    return {
        **{name: network for name, network in networks.items() if not RUNTIMES[name].needs_keras},
        "Keras model(x)": lambda images: np.asarray(model(images, training=False)),
        "Keras predict": lambda images: model.predict(images, verbose=0),
    }


def _seconds(answer: Callable[[NDArray[np.uint8]], Any], images: NDArray[np.uint8], calls: int) -> list[float]:
    answer(images)
    taken = []
    for _ in range(calls):
        start = time.perf_counter()
        answer(images)
        taken.append(time.perf_counter() - start)
    return taken


def _decoding(root: Path, bundle: Bundle) -> str:
    folder = root / load_params(root / "params.yaml").data.path
    paths = [folder / image["image"] for image in read_csv(root / "data/prepared/manifest.csv")[:300]]
    wanted = bundle.members[0].input
    taken = []
    for path in paths:
        start = time.perf_counter()
        decode(path, size=wanted.image_size, resize=wanted.resize, max_pixels=wanted.max_pixels)
        taken.append(time.perf_counter() - start)
    return f"Decoding one image, apart from this: {1000 * np.median(taken):.1f} ms (median of {len(paths)} files)."


def _cold_start(root: Path) -> str:
    folder = root / load_params(root / "params.yaml").data.path
    image = folder / read_csv(root / "data/prepared/manifest.csv")[0]["image"]
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "lacuna", "predict", str(image)], cwd=root, check=True, stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(root)},
        )  # fmt: skip
        taken.append(time.perf_counter() - start)
    return f"`python -m lacuna predict IMAGE`, from the start of Python to the answer: {np.median(taken):.1f} s."


def _print_quality(
    bundle: Bundle, validation: Predictions, images: NDArray[np.uint8], networks: dict[str, ExportedNetwork]
) -> None:
    """Of the validation part, by the calibration of float32."""
    print("| runtime | macro average precision | macro log loss | largest change in probability | decisions changed |")
    print("|---|---|---|---|---|")
    exact = validation.logits
    for runtime, network in networks.items():
        starts = range(0, len(images), BATCH)
        logits = np.concatenate([network(images[start : start + BATCH]).logits for start in starts])
        before, after = (bundle.calibration.apply(bundle.targets, each) for each in (exact, logits))
        change = max(float(np.abs(was - now_is).max()) for was, now_is in zip(before, after, strict=True))
        decided, now = (bundle.calibration.decide(bundle.targets, each) for each in (exact, logits))
        labelled = list(zip(validation.labels.T, after, strict=True))
        precisions = [average_precision(labels, probabilities) for labels, probabilities in labelled]
        defined = [precision for precision in precisions if precision is not None]
        losses = [log_loss(labels, probabilities) for labels, probabilities in labelled]
        print(
            f"| {runtime} | {np.mean(defined):.4f} | {np.mean(losses):.4f} "
            f"| {change:.4f} | {(decided != now).mean():.2%} |"
        )
