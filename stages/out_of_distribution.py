"""Fit the detector of out-of-distribution images, and sample what drift is measured against.

python -m stages.out_of_distribution
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.config.params import Params
from lacuna.core.feature_store import FeatureStore
from lacuna.core.files_table import read_files
from lacuna.core.groups import independent_sample, one_of_each
from lacuna.core.manifest import Manifest, Part
from lacuna.core.targets import Targets
from lacuna.core.working_image import Origin, measure_light
from lacuna.export.ood_fit import fit_detector, lack_of_groups
from lacuna.export.ood_plots import plot_distances
from lacuna.inference.drift_reference import (
    COMPARED_AXES,
    MOST_COORDINATES,
    MOST_PROPERTIES,
    DriftReference,
    Properties,
)
from lacuna.io.atomic import save_arrays, write_json
from lacuna.io.sharded_array import open_rows
from stages._run import Facts, run

UNSEEN: tuple[Part, ...] = ("val", "test")
MOST_UNSEEN = 10_000
"""At most so many groups of each of these parts are used, one image of each group."""

Sample = Callable[[NDArray[np.int64], np.random.Generator], NDArray[np.intp]]


def out_of_distribution(params: Params) -> Facts:
    options = params.out_of_distribution
    manifest = Manifest.load(Path("data/prepared/manifest.csv"), Targets.load(Path("data/prepared/targets.json")))
    images = open_rows(Path("data/images/pixels"))
    every = FeatureStore.open(Path("data/features")).pooled
    generator = np.random.default_rng(options.seed)
    rows: dict[str, NDArray[np.int64]] = {
        "train": _draw(manifest.part("train").row, options.images, generator),
        **{part: _draw(_rows(one_of_each, manifest.part(part), generator), MOST_UNSEEN, generator) for part in UNSEEN},
        "drift": _draw(_rows(independent_sample, manifest.part("val"), generator), MOST_COORDINATES, generator),
    }
    pooled = {part: np.asarray(every[chosen, 0]) for part, chosen in rows.items()}
    detector = fit_detector(pooled["train"], pooled["val"], pooled["test"], options.false_alarms)
    seen = _draw(manifest.row[manifest.split != "test"], MOST_PROPERTIES, generator)
    group = manifest.group[np.searchsorted(manifest.row, seen)]
    coordinates = detector.coordinates(pooled["drift"])[:, :COMPARED_AXES].astype(np.float32)
    reference = DriftReference(_properties(images, seen, params), group, coordinates)
    save_arrays(Path("models/out_of_distribution.npz"), {**detector.to_arrays(), **reference.to_arrays()})

    write_json(Path("metrics/out_of_distribution.json"), {"training_images": len(rows["train"]), **detector.describe()})
    distances = (detector.distance(pooled[part]) for part in UNSEEN)
    plot_distances(Path("plots/out_of_distribution.png"), detector, *distances)
    rates = detector.false_alarms
    if note := lack_of_groups(rates):
        print(f"note: {note}")
    print(f"unfamiliar above a distance of {detector.threshold:.1f}: {rates.n_alarms} of {rates.n_test} test images")
    return detector.describe()


def _rows(sample: Sample, part: Manifest, generator: np.random.Generator) -> NDArray[np.int64]:
    return part.row[sample(part.group, generator)]


def _draw(rows: NDArray[np.int64], most: int, generator: np.random.Generator) -> NDArray[np.int64]:
    return np.sort(generator.permutation(rows)[:most])


def _properties(images: NDArray[np.uint8], rows: NDArray[np.int64], params: Params) -> Properties:
    files = read_files(Path("data/images/files.csv"))
    origins = [Origin(*files[row][1:]) for row in rows.tolist()]
    light = [
        measure_light(images[row], origin.width, origin.height, params.data.resize)
        for row, origin in zip(rows.tolist(), origins, strict=True)
    ]
    return Properties.of(origins, light)


if __name__ == "__main__":
    run("out_of_distribution", out_of_distribution)
