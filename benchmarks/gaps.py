"""The claim: masking unknown labels beats filling them, and beats dropping the images that have them.

    python -m benchmarks gaps --fashion FOLDER       10,018 products, 3 seeds: see docs/results.md for the time it takes

Two label files over the same fashion products. *Attributes*: the 20 most frequent classes of the seven columns, those
of more than half of the images left out, each a column of present and absent, as in a file of 1, 0 and NA. *Columns*:
the seven columns themselves, categorical, up to 100 classes. Of their known **training** cells 0 to 90 % are hidden
(`hide`), and Lacuna's head is solved on the means of the backbone's last map, in three ways that differ in nothing but
the labels they are given:

- masked: unknown cells stay unknown;
- filled: they become 0, absent; in a categorical target its most frequent known class;
- dropped: images with any unknown cell are left out. Where no image is left, the answer is the same for all images.

Each has its penalties chosen by cross-validation on the labels that it is given, as `train_warmup` does; validation is
not read. The statistics of all stages would take three times as long. What is scored is the macro average precision on
the test part, of which nothing is hidden. Intervals are of 300 replicates, each of which draws groups of test images
and seeds with replacement, the same for every way: differences are paired in both.
"""

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
from lacuna.core.head_weights import HeadWeights
from lacuna.core.manifest import Manifest
from lacuna.core.scores import Floats, activate, ranking_metrics
from lacuna.core.targets import Targets
from lacuna.io.atomic import write_json
from lacuna.stats.bootstrap import group_weights, interval
from lacuna.training.exact_head import solve_head
from lacuna.training.statistics import TargetStatistics

RESULTS, PICTURE = Path("benchmarks/results/gaps.json"), Path("docs/gaps.png")
SHARES = (0.0, 0.2, 0.5, 0.8, 0.9)
MECHANISMS: tuple[Mechanism, ...] = ("random", "by class")
SEEDS = 3
REPLICATES, CONFIDENCE = 300, 0.95
SETTINGS = {"features.stages": "top"}


def solve(products: "Products", file: LabelFile, rows: NDArray[np.intp], labels: Labels) -> HeadWeights | None:
    """A head solved on training images by their place among `products.train`; None without images."""
    if len(rows) == 0:
        return None
    statistics = [TargetStatistics(0.0, (), (1.0,) * target.n_classes) for target in file.targets]
    features, group = products.train[:, None], products.train_group[rows]
    return solve_head(features, rows, labels, group, file.targets, statistics, products.params.train, {}, 0).head


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
    """The prepared products: parameters, label file, pooled features and groups of the training and the test part."""

    params: Params
    columns: LabelFile
    train: NDArray[np.float32]
    test: NDArray[np.float32]
    train_group: NDArray[np.int64]
    test_group: NDArray[np.int64]

    @classmethod
    def open(cls, project: Path) -> "Products":
        targets = Targets.load(project / "data/prepared/targets.json")
        manifest = Manifest.load(project / "data/prepared/manifest.csv", targets)
        train, test = manifest.part("train"), manifest.part("test")
        pooled = FeatureStore.open(project / "data/features").pooled[:, 0]
        columns = LabelFile("columns", targets, train.labels, test.labels)
        params = load_params(project / "params.yaml")
        return cls(params, columns, pooled[train.row], pooled[test.row], train.group, test.group)

    def file(self, name: str) -> LabelFile:
        return self.columns if name == "columns" else as_attributes(self.columns)

    def draws(self) -> Floats:
        """How often each test image counts, (1 + REPLICATES, n): once, then as resampled by group."""
        (replicates,) = group_weights(self.test_group, REPLICATES, 0, REPLICATES)
        return np.concatenate([np.ones((1, len(self.test_group))), replicates])


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
            head = solve(products, file, rows, labels)
            logits = np.zeros((len(products.test), file.targets.n_logits), np.float32)
            if head is not None:
                logits = head.logits(products.test)
            measured[mechanism, share, way] = len(rows), score(file.targets, file.test, logits, draws)
            macro = measured[mechanism, share, way][1][0]
            print(f"{name}, seed {seed}, {share:.0%} hidden {mechanism}, {way}: {macro:.4f}", file=sys.stderr)
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
