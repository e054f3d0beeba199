"""Do the heat maps show what counts? Blur where they are hottest, and see what that does to the probability.

Beside it an area of the same size and shape elsewhere is blurred. Only where the hottest area matters more do the maps
say something (after Petsiuk et al. 2018).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from lacuna.analysis.explain.activation_maps import ExplainedNetwork
from lacuna.analysis.explain.inputs import Boxes
from lacuna.calibration.cross_fit import Judgement
from lacuna.calibration.model import Calibration
from lacuna.config.blocks import Evaluate
from lacuna.core.feature_maps import Maps, contrasts, enlarge
from lacuna.core.scores import Floats, Labels
from lacuna.core.targets import Targets
from lacuna.io.progress import progress
from lacuna.stats.bootstrap import group_weights, interval
from lacuna.stats.numbers import rounded

SHARE = 0.1
"""Of the picture's area, what is blurred. Padding is none of it: white that is blurred stays white."""

BLUR = 1 / 8
"""Standard deviation of the blur, as a share of the image's side: no outline as large as the area survives it."""

EXPLAINED_AT_ONCE = 8
"""The feature maps of an image of 224 pixels take 3 to 10 MB."""

FEWEST_FOR_INTERVAL = 10
"""With fewer an interval would say nothing."""

REPLICATES_AT_ONCE = 100

Masks = NDArray[np.bool_]
Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Drops:
    """How far probabilities fall (n, n_targets) when an area is blurred: the map's hottest, and another one.

    padding: the share of a map's heat, its sign aside, that lies on the padding of its image. NaN where an image was
    not looked at for a target.
    """

    hottest: Floats
    elsewhere: Floats
    padding: Floats


def draw_measured(judgements: Sequence[Judgement], most: int, seed: int) -> Labels:
    """The class (n, n_targets) whose probability is watched in each validation image, -1 = none.

    At most `most` images for a target, drawn at random, the same ones for all categorical targets. Of a binary target
    those that are decided to be present.
    """
    order = np.random.default_rng(seed).permutation(len(judgements[0].labels))
    classes = np.full((len(order), len(judgements)), -1)
    for index, judgement in enumerate(judgements):
        binary = judgement.target.kind == "binary"
        wanted = judgement.decisions[order] == 1 if binary else np.ones(len(order), dtype=bool)
        rows = order[wanted][:most]
        classes[rows, index] = judgement.explained_class()[rows]
    return classes


def probability_drops(
    network: ExplainedNetwork,
    targets: Targets,
    calibration: Calibration,
    images: Images,
    row: NDArray[np.int64],
    boxes: Boxes,
    classes: Labels,
    seed: int,
) -> Drops:
    """Blur the n images at `row`, twice for every target whose class (n, n_targets) is not -1.

    images: all working images (any number, s, s, 3). boxes: where the picture of each of the n stands in its square.
    """
    drops = Drops(*(np.full(classes.shape, np.nan) for _ in range(3)))
    generator = np.random.default_rng(seed)
    measured = np.flatnonzero((classes >= 0).any(axis=1))
    starts = range(0, len(measured), EXPLAINED_AT_ONCE)
    for start in progress(starts, total=len(starts), what="blur", unit="batches"):
        places = measured[start : start + EXPLAINED_AT_ONCE]
        batch, wanted = np.asarray(images[row[places]]), classes[places]
        seen, blurred = network.run(batch, maps=True), blur(batch)
        before = calibration.apply(targets, seen.logits)
        for index in range(len(targets)):
            rows = np.flatnonzero(wanted[:, index] >= 0)
            if len(rows) == 0:
                continue
            chosen = wanted[rows, index]
            maps = network.heat_maps(seen.take(rows), contrasts(targets, index, chosen))
            large, where = enlarge(maps, batch.shape[1]), boxes[places[rows]]
            drops.padding[places[rows], index] = padding_share(large, where)
            masks = hottest(large, where)
            for found, area in ((drops.hottest, masks), (drops.elsewhere, move(masks, where, generator))):
                changed = np.where(area[..., None], blurred[rows], batch[rows])
                after = calibration.apply(targets, network.run(changed).logits)[index]
                fall = before[index][rows, chosen] - after[np.arange(len(rows)), chosen]
                found[places[rows], index] = fall
    return drops


def summarise_checks(
    targets: Targets, drops: Drops, group: NDArray[np.int64], boxes: Boxes, size: int, settings: Evaluate
) -> dict[str, dict[str, float | int | bool]]:
    """By target what its check came to, and how much heat lies on padding; `size`: the side of the working images."""
    return {
        name: summarise_drops(drops.hottest[:, index], drops.elsewhere[:, index], group, settings)
        | summarise_padding(drops.padding[:, index], boxes, size)
        for index, name in enumerate(targets.names)
    }


def summarise_drops(
    hottest_area: Floats, elsewhere: Floats, group: NDArray[np.int64], settings: Evaluate
) -> dict[str, float | int | bool]:
    """The mean falls of one target's images (n,) and their paired difference with an interval; NaN = not looked at.

    `shown`: the hottest area matters more, the interval lies above 0. Without an image nothing but their number.
    """
    some = ~np.isnan(hottest_area)
    difference, group = (hottest_area - elsewhere)[some], group[some]
    summary: dict[str, float | int | bool] = {"images": int(some.sum())}
    if not some.any():
        return summary
    summary |= {
        "drop_hottest": rounded(hottest_area[some].mean()),
        "drop_random": rounded(elsewhere[some].mean()),
        "difference": rounded(difference.mean()),
    }
    if len(np.unique(group)) >= FEWEST_FOR_INTERVAL:
        replicates = [
            weights @ difference / weights.sum(axis=1)
            for weights in group_weights(group, settings.bootstrap, settings.seed, REPLICATES_AT_ONCE)
        ]
        ends = interval(np.concatenate(replicates), settings.confidence)
        assert ends is not None
        summary |= {"difference_low": rounded(ends[0]), "difference_high": rounded(ends[1]), "shown": ends[0] > 0}
    return summary


def hottest(maps: Maps, boxes: Boxes) -> Masks:
    """The hottest SHARE of each picture, in a map (n, s, s) of its square; boxes (n, 4): where it stands there."""
    masks = np.zeros(maps.shape, dtype=bool)
    for heat, mask, (top, left, bottom, right) in zip(maps, masks, boxes.tolist(), strict=True):
        picture = heat[top:bottom, left:right]
        order = np.argsort(-picture, axis=None, kind="stable")[: max(1, round(SHARE * picture.size))]
        chosen = np.zeros(picture.size, dtype=bool)
        chosen[order] = True
        mask[top:bottom, left:right] = chosen.reshape(picture.shape)
    return masks


def move(masks: Masks, boxes: Boxes, generator: np.random.Generator) -> Masks:
    """Each mask (n, s, s) at a random other place, what leaves the picture at one side coming back at the other.

    Same size and same shape: scattered pixels would be blurred to another effect than an area.
    """
    shifts = generator.integers(0, masks.shape[1], (len(masks), 2))
    moved = np.zeros_like(masks)
    for mask, other, shift, (top, left, bottom, right) in zip(masks, moved, shifts, boxes.tolist(), strict=True):
        other[top:bottom, left:right] = np.roll(mask[top:bottom, left:right], tuple(shift), axis=(0, 1))
    return moved


def padding_share(maps: Maps, boxes: Boxes) -> Floats:
    """Of the heat of each map (n, s, s), its sign aside, the share outside of the picture, 0 to 1."""
    size = np.abs(maps)
    total = size.sum(axis=(1, 2))
    inner = [heat[top:bottom, left:right].sum() for heat, (top, left, bottom, right) in zip(size, boxes, strict=True)]
    shares: Floats = 1 - np.array(inner) / np.where(total > 0, total, 1)
    shares[total == 0] = 0
    return shares


def summarise_padding(shares: Floats, boxes: Boxes, size: int) -> dict[str, float]:
    """The mean share of heat (n,) on padding and of the area that it takes, over the padded images that were looked at.

    boxes (n, 4). Empty where none of them is padded.
    """
    area = 1 - (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / size**2
    some = ~np.isnan(shares) & (area > 0)
    if not some.any():
        return {}
    return {"padding_heat": rounded(shares[some].mean()), "padding_area": rounded(area[some].mean())}


def blur(images: Images) -> Images:
    """The whole images, blurred until no outline is left."""
    deviation = BLUR * images.shape[1]
    return np.stack(
        [
            np.rint(gaussian_filter(image.astype(np.float32), deviation, mode="nearest", axes=(0, 1))).astype(np.uint8)
            for image in images
        ]
    )
