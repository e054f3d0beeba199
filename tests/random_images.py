"""Images of random pixels, in the folder photos."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_images(names: list[str]) -> None:
    generator = np.random.default_rng(0)
    for name in names:
        path = Path("photos", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
