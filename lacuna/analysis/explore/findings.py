"""All that is computed of a subject, before anything is written or drawn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.analysis.explore.missingness import Dependence, Together, missing_by_class, missing_together
from lacuna.analysis.explore.odd_images import OddImage, find_odd_images
from lacuna.analysis.explore.pixels import PixelStatistics, measure_pixels
from lacuna.analysis.explore.subject import Subject
from lacuna.core.pixels import correlate
from lacuna.core.working_image import Resize
from lacuna.stats.association import Association, associate

FEWEST_FOR_MEAN = 5
"""A mean image of fewer images says little of its class."""


@dataclass(frozen=True)
class Findings:
    """`likeness`: per target how alike its classes' mean images are, as `pixels.correlate` has it."""

    pixels: PixelStatistics
    likeness: tuple[NDArray[np.float64], ...]
    odd: list[OddImage]
    associations: list[Association]
    together: list[Together]
    by_class: list[Dependence]


def find(subject: Subject, resize: Resize, odd_aspect_ratio: float) -> Findings:
    manifest, shapes = subject.manifest, subject.shapes()
    labels, group, targets = manifest.labels, manifest.group, subject.targets
    pixels = measure_pixels(subject.images, manifest.row, shapes, labels, targets, resize)
    return Findings(
        pixels=pixels,
        likeness=tuple(
            correlate(*target_means, FEWEST_FOR_MEAN) for target_means in zip(pixels.means, pixels.counts, strict=True)
        ),
        odd=find_odd_images(
            manifest.image.tolist(), manifest.row, shapes, pixels.brightness, pixels.spread, odd_aspect_ratio
        ),
        associations=associate(labels, targets),
        together=missing_together(labels, group, targets),
        by_class=missing_by_class(labels, group, targets),
    )
