"""The random numbers behind each changed training image; module `augmentation` applies them.

They depend on (seed, view or epoch, content of the image) alone: not on which other images there are.
"""

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from lacuna.config.blocks import Augment

CHANGES = 9
"""Numbers drawn per image: two flips, rotation in radians, zoom, brightness, contrast, saturation, cutout's centre."""

NO_CHANGE = (1, 1, 0, 1, 0, 1, 1, -9, -9)
"""The clean image. Cutout's square lies outside of it."""

GREY = (0.299, 0.587, 0.114)
"""The channels' shares in a pixel's brightness, from which saturation moves away."""

CUTOUT_GREY = 127


def draw_changes(augment: Augment, images: NDArray[np.uint8], turn: int) -> NDArray[np.float32]:
    """Draw the changes (n, CHANGES) to `images` (n, size, size, 3); `turn` numbers the view or the epoch."""
    changes = np.empty((len(images), CHANGES), np.float32)
    for i, image in enumerate(images):
        content = int.from_bytes(blake2b(image.tobytes(), digest_size=8).digest(), "big")
        r = np.random.default_rng([augment.seed, turn, content]).uniform(-1, 1, CHANGES)
        changes[i] = (
            -1 if augment.horizontal_flip and r[0] < 0 else 1,
            -1 if augment.vertical_flip and r[1] < 0 else 1,
            r[2] * augment.rotation * 2 * np.pi,
            1 + r[3] * augment.zoom,
            r[4] * augment.brightness * 255,
            1 + r[5] * augment.contrast,
            1 + r[6] * augment.saturation,
            r[7] if augment.cutout else -9,
            r[8] if augment.cutout else -9,
        )
    return changes


def no_changes(n: int) -> NDArray[np.float32]:
    return np.tile(np.array(NO_CHANGE, np.float32), (n, 1))
