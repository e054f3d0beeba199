"""From measured rates to what each stage costs for a number of images: the laws by which rates are extrapolated.

Memory follows from what a stage holds: arrays by their shapes, and bytes of an image measured once (docs/scale.md).
"""

import math
from dataclasses import dataclass

from lacuna.analysis.audit.projection import COMPONENTS
from lacuna.errors import LacunaError
from lacuna.estimate.image_rates import ImageRates
from lacuna.estimate.learning_rates import KNOWN, IntervalRates, LearningRates
from lacuna.estimate.network_rates import NetworkRates
from lacuna.estimate.rates import CostLine
from lacuna.estimate.scale import Scale, resampled_images
from lacuna.features.write_store import plan_store
from lacuna.io.cores import n_cores
from lacuna.stats.bags import BAG_GROUPS
from lacuna.stats.logistic_regression import LOOSE_AXES
from lacuna.training.steered_target import sample_rows
from lacuna.training.streamed_head import SIDE_BY_SIDE, is_streamed
from lacuna.training.windows import WINDOW_BYTES

NUMPY_GB, KERAS_GB = 0.2, 1.0
"""Of a stage with next to no images: its libraries."""

DVC_STATUS_SECONDS, DVC_BYTES = 66e-6, 2000
"""Of a file, besides hashing it: `dvc status` of ten million files took 11 minutes and 20 GB."""

FILE_ROW, MANIFEST_ROW, MANIFEST_CELL = 140, 110, 2
"""Bytes of an image in files.csv; in manifest.csv and split.csv, and of each of its labels."""

INGEST_BYTES, PREPARE_ROW, PREPARE_CELL = 700, 350, 10
"""Memory of an image: names, origins and hashes; names and hashes in columns, and each of its labels."""

SCORED_CELL = 45
"""Memory of a label of validation and one of test, with its share of replicates."""

TO_LABEL_CELL = 700
"""Memory of an unknown label in the audit's list of what to label, a line of words."""

AUDIT_COPIES = 3
"""Of the projected features: all, the known ones, those of the folds."""

PASSES, PASSES_FOR_SCALE = 8, 2
"""Over rows that are not in memory: those that solve a head, and those for mean and deviation (docs/scale.md)."""

SAMPLE_COPIES, DRAWN_FROM = 2, 60
"""Memory of a sample, in its own size, and of each row of which it is drawn."""

EVERY_NAME = 100
"""Memory of a name and a group in the manifest as NumPy has it, four bytes a letter."""

EPOCH_ROW = 24
"""Memory of an image that is learned from: its place in an epoch, in its window, and its view."""


@dataclass(frozen=True)
class Rates:
    """All that is measured. prepare: of a row with `table_targets` targets."""

    images: ImageRates
    prepare: CostLine
    table_targets: int
    network: NetworkRates
    learning: LearningRates


@dataclass(frozen=True)
class StageCost:
    """Processor seconds; bytes of memory at its peak, of what it leaves on disk, of what it reads; and in words by
    which law the seconds grow."""

    stage: str
    seconds: float
    memory: float
    disk: float
    read: float
    law: str


def extrapolate(rates: Rates, scale: Scale) -> list[StageCost]:
    """Each stage that grows with the images, in the order of the pipeline, `dvc` for what DVC itself does first."""
    return [
        _dvc(rates.images, scale),
        _ingest(rates.images, scale),
        _prepare(rates, scale),
        _featurize(rates.network, scale),
        _warm_up(rates, scale),
        _fine_tune(rates, scale),
        _calibrate(rates.learning.calibrate, scale),
        _evaluate(rates.learning.evaluate, scale),
        _explore(rates.images, scale),
        _audit(rates, scale),
        _predict(rates, scale),
    ]


def _dvc(images: ImageRates, scale: Scale) -> StageCost:
    """Hash and status of every file; its cache links to the files instead of copying them."""
    n, file_bytes = scale.images, images.decoding.file_bytes
    seconds = n * (DVC_STATUS_SECONDS + file_bytes * images.hashed)
    return StageCost("dvc", seconds, NUMPY_GB * 1e9 + n * DVC_BYTES, n * file_bytes, n * file_bytes, "linear")


def _ingest(images: ImageRates, scale: Scale) -> StageCost:
    n = scale.images
    seconds = n * images.decoding.busy + images.compare.at(n)
    disk, memory = n * (_working_bytes(scale) + FILE_ROW), NUMPY_GB * 1e9 + n * INGEST_BYTES
    return StageCost("ingest", seconds, memory, disk, n * images.decoding.file_bytes, "linear; look-alikes up to n²")


def _prepare(rates: Rates, scale: Scale) -> StageCost:
    n, cells = scale.images, scale.images * scale.targets
    seconds = rates.prepare.at(n) * max(1, scale.targets / rates.table_targets)
    memory, disk = NUMPY_GB * 1e9 + n * PREPARE_ROW + cells * PREPARE_CELL, n * MANIFEST_ROW + cells * MANIFEST_CELL
    return StageCost("prepare", seconds, memory, disk, n * FILE_ROW + disk, "linear")


def _featurize(network: NetworkRates, scale: Scale) -> StageCost:
    n, (views, streamed) = scale.images, plan_views(network, scale)
    map_bytes = 0 if streamed else 2 * math.prod(network.boundary)
    disk = n * views * (4 * network.columns + map_bytes)
    law = f"linear: images · {views} views" if views > 1 else "linear"
    return StageCost("featurize", n * views * network.forward, KERAS_GB * 1e9, disk, n * _working_bytes(scale), law)


def _warm_up(rates: Rates, scale: Scale) -> StageCost:
    n, d = scale.train, rates.network.columns
    if is_streamed(int(n), d):
        return _stream_head(rates, scale)
    seconds, copies = _solve_rows(rates, scale, n), 1 + min(n_cores(), scale.targets)
    memory = NUMPY_GB * 1e9 + n * (4 * (d + copies * min(d, LOOSE_AXES)) + EVERY_NAME)
    law = "n · columns², n · columns · logits"
    return StageCost("train_warmup", seconds, memory, 0, n * 4 * d, law + _but_for_descent(scale))


def _stream_head(rates: Rates, scale: Scale) -> StageCost:
    """A sample of each target is solved in memory, on axes of its own, then all rows are read in every pass."""
    n, d, head = scale.train, rates.network.columns, rates.learning.head
    drawn = min(sample_rows(d), n)
    samples = _solve_rows(rates, scale, drawn) + (scale.targets - 1) * _find_axes(rates, drawn)
    passes = n * d * (PASSES * (head.read + scale.logits * head.streamed) + PASSES_FOR_SCALE * head.read)
    side_by_side = min(n_cores(), SIDE_BY_SIDE, scale.targets)
    memory = (
        NUMPY_GB * 1e9 + n * (EVERY_NAME + side_by_side * DRAWN_FROM) + side_by_side * SAMPLE_COPIES * 4 * d * drawn
    )
    read, law = (PASSES + PASSES_FOR_SCALE) * n * 4 * d, f"n · columns · ({PASSES} passes · logits); samples constant"
    return StageCost("train_warmup", samples + passes, memory, 0, read, law + _but_for_descent(scale))


def _solve_rows(rates: Rates, scale: Scale, n: float) -> float:
    """Processor seconds of the heads of so many rows in memory."""
    d, head = rates.network.columns, rates.learning.head
    return _find_axes(rates, n) + n * scale.logits * (head.validate * min(d, LOOSE_AXES) + head.solve * d)


def _find_axes(rates: Rates, n: float) -> float:
    d, head = rates.network.columns, rates.learning.head
    return n * d**2 * head.products + d**3 * head.axes


def _but_for_descent(scale: Scale) -> str:
    return "; of the exact solver, as sgd is not measured" if scale.params.warmup.solver == "sgd" else ""


def _fine_tune(rates: Rates, scale: Scale) -> StageCost:
    """At most `finetune.epochs`; where maps are not kept, every layer runs in each. Then the class shares.

    Two windows lie in memory, and where maps are kept the head's logits of all views of all images.
    """
    network, epochs = rates.network, scale.params.finetune.epochs
    views, streamed = plan_views(network, scale)
    learned, scored = scale.train * (1 if streamed else views), scale.validation
    before = network.forward if streamed else 0.0
    passes = epochs * (learned * (network.step + before) + scored * (network.ahead + before))
    shares = _intervals(rates.learning.shares, scale.validation, scale)
    each = _working_bytes(scale) if streamed else 2 * math.prod(network.boundary)
    kept = 0 if streamed else scale.images * views * 4 * scale.logits
    held = min(scale.train * each, 2 * WINDOW_BYTES) + kept + scale.images * EVERY_NAME + scale.train * EPOCH_ROW
    read, disk = epochs * (learned + scored) * each, (scored + scale.test) * (4 * scale.logits + EVERY_NAME)
    law = "linear in n · epochs" + (", every layer: no maps are kept" if streamed else "") if epochs else "no epochs"
    return StageCost("train_finetune", passes + shares, KERAS_GB * 1e9 + held, disk, read, law)


def _calibrate(rates: IntervalRates, scale: Scale) -> StageCost:
    return _of_intervals("calibrate", rates, scale, scale.validation)


def _evaluate(rates: IntervalRates, scale: Scale) -> StageCost:
    return _of_intervals("evaluate", rates, scale, scale.validation + scale.test)


def _of_intervals(stage: str, rates: IntervalRates, scale: Scale, looked_at: float) -> StageCost:
    memory = NUMPY_GB * 1e9 + looked_at * (scale.logits * SCORED_CELL / 2 + EVERY_NAME)
    seconds, read = _intervals(rates, scale.validation, scale), looked_at * (4 * scale.logits + EVERY_NAME)
    law = f"linear; replicates constant from {2 * BAG_GROUPS:,} groups on"
    return StageCost(stage, seconds, memory, 0, read, law)


def _explore(images: ImageRates, scale: Scale) -> StageCost:
    n = scale.train + scale.validation
    memory = NUMPY_GB * 1e9 + n * INGEST_BYTES
    return StageCost("explore", images.pixels.at(n), memory, 0, n * _working_bytes(scale), "linear")


def _audit(rates: Rates, scale: Scale) -> StageCost:
    """The list of what to label holds every unknown label; KNOWN says how many are."""
    n, d = scale.train + scale.validation, rates.network.columns
    projected = 2 * n * d**2 * rates.learning.head.products + d**3 * rates.learning.head.axes
    seconds = n * rates.images.light + projected + rates.learning.audit.at(n) * scale.enlarged
    unknown = n * scale.targets * (1 - KNOWN) * TO_LABEL_CELL
    memory = NUMPY_GB * 1e9 + n * (8 * COMPONENTS * AUDIT_COPIES + INGEST_BYTES) + unknown
    disk = n * scale.targets * (1 - KNOWN) * EVERY_NAME
    return StageCost("audit", seconds, memory, disk, n * (4 * d + _working_bytes(scale)), "n · columns², n · logits")


def _predict(rates: Rates, scale: Scale) -> StageCost:
    """`python -m lacuna predict` of as many new images, a row of the answer for each."""
    n, file_bytes = scale.images, rates.images.decoding.file_bytes
    seconds = n * (rates.images.decoding.busy + rates.network.forward)
    return StageCost("predict", seconds, NUMPY_GB * 1e9, n * (EVERY_NAME + 8 * scale.logits), n * file_bytes, "linear")


def _intervals(rates: IntervalRates, part: float, scale: Scale) -> float:
    return rates.at(part, resampled_images(part), scale.params.evaluate.bootstrap) * scale.enlarged


def plan_views(network: NetworkRates, scale: Scale) -> tuple[int, str]:
    """How many views are kept, and why no maps for fine-tuning are, as `featurize` decides; where it would stop for
    `features.max_gb`, as with `augment.views: 0`."""
    if not scale.params.finetune.epochs:
        return 1, "nothing is fine-tuned"
    params = scale.params
    shapes = scale.images, network.seen, network.boundary, network.columns
    try:
        return plan_store(*shapes, params.augment.views, params.features.max_gb)
    except LacunaError:
        return plan_store(*shapes, 0, params.features.max_gb)


def _working_bytes(scale: Scale) -> int:
    return 3 * scale.params.data.image_size**2
