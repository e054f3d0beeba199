"""The claim: masking unknown labels beats filling them, and beats dropping the images that have them.

    python -m benchmarks gaps --fashion FOLDER       10,018 products, 5 seeds: see docs/results.md for the time it takes

Two label files over the same fashion products. *Attributes*: the 20 most frequent classes of the seven columns, those
of more than half of the images left out, each a column of present and absent, as in a file of 1, 0 and NA. *Columns*:
the seven columns themselves, categorical, up to 100 classes. Of their known **training** cells 0 to 90 % are hidden
(`hide`), and Lacuna's head is trained on the cached features of the frozen backbone, with Lacuna's loss and class
weights, in three ways that differ in nothing but the labels they are given:

- masked: unknown cells stay unknown;
- filled: they become 0, absent; in a categorical target its most frequent known class;
- dropped: images with any unknown cell are left out. Where no image is left, the answer is the same for all images.

All take the same number of steps, of batches of the same size, from the same first weights; the learning rate is
warm-up's, scaled by the root of the batch's. Nothing is chosen: no epoch, no threshold, no setting; validation is not
read. What is scored is the macro average precision on the test part, of which nothing is hidden. Intervals are of 300
replicates, each of which draws groups of test images and seeds with replacement, the same for every way: differences
are paired in both.
"""

import logging
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.gaps_labels import WAYS, LabelFile, Labels, Mechanism, as_attributes, hide, treat
from benchmarks.gaps_report import COMPARED, gaps_table, plot_gaps
from benchmarks.project import dvc, machine, make_project
from lacuna.config.load import load_params
from lacuna.config.params import Params
from lacuna.core.feature_store import FeatureStore
from lacuna.core.manifest import Manifest
from lacuna.core.scores import Floats, activate, ranking_metrics
from lacuna.core.targets import Targets
from lacuna.data.labels.class_weights import weigh_targets
from lacuna.features import backend
from lacuna.features.backend import keras
from lacuna.io.atomic import write_json
from lacuna.stats.bootstrap import group_weights, interval
from lacuna.training.losses import MaskedLoss
from lacuna.training.model import build_head, start_at_prior
from lacuna.training.optimizers import make_optimizer
from lacuna.training.statistics import TargetStatistics

RESULTS, PICTURE = Path("benchmarks/results/gaps.json"), Path("docs/gaps.png")
SHARES = (0.0, 0.2, 0.5, 0.8, 0.9)
MECHANISMS: tuple[Mechanism, ...] = ("random", "by class")
SEEDS = 5
STEPS, BATCH = 300, 256
REPLICATES, CONFIDENCE = 300, 0.95
SETTINGS = {"augment.views": 1, "features.max_gb": 1.0}

logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns that many models are built, as they are here


def train_head(
    features: NDArray[np.float32], labels: Labels, targets: Targets, params: Params, seed: int
) -> keras.Model | None:
    """A head trained on features (n, channels); None without images."""
    if len(labels) == 0:
        return None
    backend.make_reproducible(seed)
    options = params.class_weights
    weighed = weigh_targets(labels, targets, options.scheme, beta=options.beta, ceiling=options.max)
    statistics = [
        TargetStatistics(entry["known_share"], tuple(entry["counts"]), tuple(entry["weights"]))
        for entry in (weighed[name] for name in targets.names)
    ]
    head = build_head(features.shape[1], targets, params.head)
    start_at_prior(head, targets, statistics)
    learning_rate = params.warmup.learning_rate * math.sqrt(BATCH / params.train.batch_size)
    optimizer = make_optimizer(params.optimizer, head, learning_rate, STEPS, {})
    head.compile(optimizer, MaskedLoss(targets, statistics, params.train), jit_compile=backend.jit_compile())
    random = np.random.default_rng(seed)
    passes = math.ceil(STEPS * BATCH / len(labels))
    order = np.concatenate([random.permutation(len(labels)) for _ in range(passes)])
    for chosen in order[: STEPS * BATCH].reshape(STEPS, BATCH):
        head.train_on_batch(features[chosen], labels[chosen].astype(np.int32))
    return head


def score(targets: Targets, labels: Labels, logits: NDArray[np.float32], weights: Floats) -> Floats:
    """Macro average precision in every replicate of `weights` (replicates, n), the mean over targets: (replicates,)."""
    each = []
    for index, (target, columns) in enumerate(zip(targets, targets.slices, strict=True)):
        known = labels[:, index] >= 0
        scores = activate(target, logits[known, columns])
        each.append(ranking_metrics(labels[known, index], scores, weights[:, known])["average_precision"])
    return np.mean(each, axis=0)


def conditions() -> Iterator[tuple[Mechanism, float]]:
    """Mechanism and share; with nothing hidden the mechanisms are one."""
    for share in SHARES:
        for mechanism in MECHANISMS if share else MECHANISMS[:1]:
            yield mechanism, share


@dataclass(frozen=True)
class Products:
    """The prepared products: parameters, label file, pooled features of the training and the test part, test groups."""

    params: Params
    columns: LabelFile
    train: NDArray[np.float32]
    test: NDArray[np.float32]
    group: NDArray[np.int64]

    @classmethod
    def open(cls, project: Path) -> "Products":
        targets = Targets.load(project / "data/prepared/targets.json")
        manifest = Manifest.load(project / "data/prepared/manifest.csv", targets)
        train, test = manifest.part("train"), manifest.part("test")
        pooled = FeatureStore.open(project / "data/features").pooled[:, 0]
        columns = LabelFile("columns", targets, train.labels, test.labels)
        return cls(load_params(project / "params.yaml"), columns, pooled[train.row], pooled[test.row], test.group)

    def file(self, name: str) -> LabelFile:
        return self.columns if name == "columns" else as_attributes(self.columns)

    def draws(self) -> Floats:
        """How often each test image counts, (1 + REPLICATES, n): once, then as resampled by group."""
        (replicates,) = group_weights(self.group, REPLICATES, 0, REPLICATES)
        return np.concatenate([np.ones((1, len(self.group))), replicates])


Measured = dict[tuple[Mechanism, float, str], tuple[int, Floats]]


def measure(project: Path, name: str, seed: int) -> Measured:
    """For each mechanism, share and way: the images trained on, and the score in every draw (1 + REPLICATES,)."""
    products = Products.open(project)
    file, draws = products.file(name), products.draws()
    measured: Measured = {}
    for mechanism, share in conditions():
        hidden = hide(file.train, file.targets, share, mechanism, seed)
        for way in WAYS:
            rows, labels = treat(hidden, file.targets, way)
            head = train_head(products.train[rows], labels, file.targets, products.params, seed)
            logits = np.zeros((len(products.test), file.targets.n_logits), np.float32)
            if head is not None:
                logits = np.asarray(head.predict_on_batch(products.test))
            measured[mechanism, share, way] = len(rows), score(file.targets, file.test, logits, draws)
            macro = measured[mechanism, share, way][1][0]
            print(f"{name}, seed {seed}, {share:.0%} hidden {mechanism}, {way}: {macro:.4f}", file=sys.stderr)
        keras.backend.clear_session()
    return measured


def summarise(measured: list[Measured]) -> list[dict[str, Any]]:
    """One row per mechanism and share from the measurements of every seed: means, intervals, paired differences."""
    seeds = np.random.default_rng(0).multinomial(len(measured), np.full(len(measured), 1 / len(measured)), REPLICATES)
    mix = np.concatenate([np.full((1, len(measured)), 1 / len(measured)), seeds / len(measured)])
    rows = []
    for mechanism, share in conditions():
        each = {way: np.array([one[mechanism, share, way][1] for one in measured]) for way in WAYS}
        mixed = {way: np.einsum("rs,sr->r", mix, scores) for way, scores in each.items()}
        row: dict[str, Any] = {"mechanism": mechanism, "share": share}
        for way in WAYS:
            row[way] = _with_interval(mixed[way]) | {
                "seeds": [round(float(value), 4) for value in each[way][:, 0]],
                "images": [one[mechanism, share, way][0] for one in measured],
            }
        row |= {f"{a} - {b}": _with_interval(mixed[a] - mixed[b]) for a, b in COMPARED}
        rows.append(row)
    return rows


def _with_interval(samples: Floats) -> dict[str, Any]:
    low, high = interval(samples[1:], CONFIDENCE) or (float("nan"), float("nan"))
    return {"mean": round(float(samples[0]), 4), "low": round(low, 4), "high": round(high, 4)}


def measure_all(project: Path) -> dict[str, Any]:
    """Measure both label files with every seed, as many seeds at a time as there are cores."""
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}
    products, start = Products.open(project), time.perf_counter()
    names = ("attributes", "columns")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        running = {name: [pool.submit(measure, project, name, seed) for seed in range(SEEDS)] for name in names}
        measured = {name: [future.result() for future in futures] for name, futures in running.items()}
    files: dict[str, Any] = {}
    for name in names:
        file = products.file(name)
        same = np.zeros((len(file.test), file.targets.n_logits), np.float32)
        files[name] = {
            "targets": list(file.targets.names),
            "random_order": round(float(score(file.targets, file.test, same, np.ones((1, len(same))))[0]), 4),
            "rows": summarise(measured[name]),
        }
    return {
        "machine": machine(),
        "date": date.today().isoformat(),
        "minutes": round((time.perf_counter() - start) / 60, 1),
        "training_images": len(products.train),
        "test_images": len(products.test),
        "files": files,
    }


def gaps(fashion: Path) -> None:
    """Measure on all products; write the figures and the picture, print a Markdown table."""
    with tempfile.TemporaryDirectory() as parent:
        project = make_project(Path(parent) / "project", fashion, 1_000_000, SETTINGS)
        dvc(project, "repro", "--quiet", "prepare", "featurize")
        results = measure_all(project)
    write_json(RESULTS, results)
    plot_gaps(PICTURE, results)
    print(gaps_table(results))
