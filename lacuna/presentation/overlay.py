"""A heat map over its image, as a picture."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lacuna.core.feature_maps import enlarge

FOR, AGAINST = (213, 94, 0), (0, 114, 178)
"""Orange where a place speaks for the class, blue where against it: apart for colour-blind eyes (Okabe and Ito 2008),
and what the pictures of stage `explain` have."""

GREY_SHARES = (0.299, 0.587, 0.114)


def overlay(image: NDArray[np.uint8], values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The working image (s, s, 3) in pale grey, coloured by values (h, w); the strongest place is most opaque."""
    (heat,) = enlarge(values[None], len(image))
    strength = 0.85 * np.abs(heat) / max(float(np.abs(heat).max()), 1e-12)
    grey = 255 - 0.6 * (255 - image @ np.array(GREY_SHARES))
    colour = np.where(heat[..., None] > 0, FOR, AGAINST)
    mixed: NDArray[np.uint8] = np.rint(
        grey[..., None] * (1 - strength[..., None]) + colour * strength[..., None]
    ).astype(np.uint8)
    return mixed


def data_url(pixels: NDArray[np.uint8]) -> str:
    """RGB pixels (h, w, 3) as a PNG in a data: address."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
