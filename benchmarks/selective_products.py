"""Figures for all images where labels of real pictures are missing for a reason: the fashion products.

    python -m benchmarks selective_products --fashion FOLDER

30 attributes and the seven columns of the products (see `benchmarks.gaps_labels`). Three tenths of the groups train
Lacuna's head, on the means of the backbone's last map, a seventh are validation, and the rest, whose labels all stay,
are the truth. Labels of the first two are hidden as in `benchmarks.selective`; brightness is that of the pictures.

Second table: does it matter in training? Average precision on the rest of a head whose known cells count by the true
share of their class over that among the labelled ones, less that of the same head without such weights.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.gaps_labels import LabelFile, Labels, as_attributes
from benchmarks.project import dvc, machine, make_project
from benchmarks.selective import BOOTSTRAP, MECHANISMS, Tally
from lacuna.config.load import load_params
from lacuna.config.params import Params
from lacuna.core.feature_store import FeatureStore
from lacuna.core.manifest import Manifest
from lacuna.core.predictions import Predictions
from lacuna.core.scores import Floats, activate, ranking_metrics
from lacuna.core.targets import UNKNOWN, Targets
from lacuna.core.working_image import measure_light
from lacuna.io.sharded_array import open_rows
from lacuna.io.text_table import align
from lacuna.stats.bootstrap import interval
from lacuna.training.exact_head import solve_head
from lacuna.training.statistics import TargetStatistics

ATTRIBUTES = 30
TRAINED, VALIDATED = 0.3, 0.15
SETTINGS = {"features.stages": "top"}


class Products:
    """The prepared products: features (n, d), groups (n,), brightness (n, 1), labels of both label files."""

    def __init__(self, project: Path) -> None:
        targets = Targets.load(project / "data/prepared/targets.json")
        manifest = Manifest.load(project / "data/prepared/manifest.csv", targets)
        self.params: Params = load_params(project / "params.yaml")
        self.features = np.asarray(FeatureStore.open(project / "data/features").pooled[:, 0])[manifest.row]
        self.group = manifest.group
        images = open_rows(project / "data/images/pixels")
        size = images.shape[1]
        light = np.array([measure_light(images[row], size, size, "pad") for row in manifest.row.tolist()])
        self.brightness = (light[:, :1] - light[:, 0].mean()) / light[:, 0].std()
        columns = LabelFile("columns", targets, manifest.labels, manifest.labels)
        self.files = (as_attributes(columns, ATTRIBUTES), columns)

    def parts(self, seed: int) -> list[np.ndarray]:
        """The rows of training, validation and the rest, by group."""
        groups = np.unique(self.group)
        drawn = dict(zip(groups.tolist(), np.random.default_rng([seed, 1]).random(len(groups)), strict=True))
        place = np.array([drawn[group] for group in self.group.tolist()])
        edges = np.searchsorted((TRAINED, TRAINED + VALIDATED), place, side="right")
        return [np.flatnonzero(edges == part) for part in range(3)]

    def hide(self, file: LabelFile, mechanism: str, seed: int) -> Labels:
        """All labels, with those hidden that the mechanism withholds."""
        random, labels = np.random.default_rng([seed, 2]), file.train.copy()
        for index, target in enumerate(file.targets):
            chance = MECHANISMS[mechanism](labels[:, index], self.brightness[:, 0], target.n_classes)
            labels[random.random(len(labels)) >= chance, index] = UNKNOWN
        return labels

    def logits(
        self, file: LabelFile, labels: Labels, train: np.ndarray, importance: list[Floats] | None = None
    ) -> Floats:
        """Of all images, by a head solved on the training rows. importance: how much a cell of a class counts."""
        weights = importance or [np.ones(target.n_classes) for target in file.targets]
        statistics = [TargetStatistics(0.0, (), tuple(of_target.tolist())) for of_target in weights]
        solved = solve_head(
            self.features[:, None], train, labels[train], self.group[train], file.targets, statistics,
            self.params.train, {}, 0,
        )  # fmt: skip
        return solved.head.logits(self.features)


def prepare_products(fashion: Path) -> Products:
    """All products of the folder, through `prepare` and `featurize`; says on which machine."""
    with tempfile.TemporaryDirectory() as parent:
        project = make_project(Path(parent) / "project", fashion, 1_000_000, SETTINGS)
        dvc(project, "repro", "--quiet", "prepare", "featurize")
        print(machine())
        return Products(project)


def selective_products(fashion: Path, seeds: int) -> None:
    """Print a table for each mechanism and label file, and what corrected weights in training gain."""
    products = prepare_products(fashion)
    params = products.params
    settings = params.evaluate.model_copy(update={"bootstrap": BOOTSTRAP, "population": "all"})
    gains = [("labels", "known", "AP, weights corrected - not")]
    for file in products.files:
        for mechanism in MECHANISMS:
            tally, differences = Tally(file.targets, params.calibrate, settings), []
            for seed in range(seeds):
                train, val, rest = products.parts(seed)
                labels = products.hide(file, mechanism, seed)
                logits = products.logits(file, labels, train)
                image = np.array([str(row) for row in range(len(labels))])
                whole = Predictions(logits.astype(np.float32), labels, image, products.group, products.brightness)
                truth = replace(whole, labels=file.train)
                tally.add(whole.take(val), truth.take(rest))
                if mechanism not in (".5 / .5", "brightness"):
                    weighted = products.logits(file, labels, train, true_importance(file, labels, train))
                    differences.append(precisions(file, weighted, rest) - precisions(file, logits, rest))
            tally.show(f"{file.name}, known {mechanism}, {seeds} seeds of {len(file.targets)} targets")
            if differences:
                gains.append((file.name, mechanism, describe_difference(np.array(differences))))
    print(align(gains), flush=True)


def true_importance(file: LabelFile, labels: Labels, train: np.ndarray) -> list[Floats]:
    """Per target the true share of each class in training over that among the labelled; nothing is estimated."""
    importance = []
    for index, target in enumerate(file.targets):
        counts = [
            np.bincount(of[train, index][of[train, index] >= 0], minlength=target.n_classes)
            for of in (file.train, labels)
        ]
        every, known = (count / count.sum() for count in counts)
        importance.append(np.divide(every, known, out=np.ones_like(every), where=known > 0))
    return importance


def precisions(file: LabelFile, logits: Floats, rest: np.ndarray) -> Floats:
    """The average precision of each target on the rest, (n_targets,)."""
    found = []
    for index, (target, columns) in enumerate(zip(file.targets, file.targets.slices, strict=True)):
        known = rest[file.train[rest, index] >= 0]
        scores = activate(target, logits[known][:, columns])
        found.append(float(ranking_metrics(file.train[known, index], scores)["average_precision"][0]))
    return np.array(found)


def describe_difference(differences: Floats) -> str:
    """The mean of (seeds, targets), with a 95 % interval by drawing targets and seeds with replacement."""
    random, (seeds, targets) = np.random.default_rng(0), differences.shape
    drawn = [
        differences[np.ix_(random.integers(0, seeds, seeds), random.integers(0, targets, targets))].mean()
        for _ in range(1000)
    ]
    low, high = interval(np.array(drawn), 0.95) or (np.nan, np.nan)
    return f"{differences.mean():+.4f} [{low:+.4f}, {high:+.4f}]"
