"""A heat map over its image, as a picture."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lacuna.core.feature_maps import enlarge
from lacuna.core.working_image import inside

FOR, AGAINST = (213, 94, 0), (0, 114, 178)
"""Orange where a place speaks for the class, blue where against it: apart for colour-blind eyes (Okabe and Ito 2008).
They are ORANGE and BLUE of `presentation.style`, which serving does not import because it draws no charts."""

GREY_SHARES = (0.299, 0.587, 0.114)
"""What red, green and blue count in a grey value (ITU-R BT.601)."""

MOST_OPAQUE = 0.85
"""The share of the colour where a map is strongest; what is left shows the image."""


PADDING = 216
"""The grey of what is no part of the picture and has no colour of the map."""


def overlay(
    image: NDArray[np.uint8],
    heat: NDArray[np.float32],
    strongest: float | None = None,
    box: tuple[int, int, int, int] | None = None,
) -> NDArray[np.uint8]:
    """The working image (s, s, 3) in pale grey, coloured by a heat map (h, w): FOR above 0, AGAINST below.

    `strongest`: the heat, its sign aside, from which on the colour is as opaque as it gets; None: the map's highest in
    the picture. `box`: where the picture stands in the square, as `content_box` has it; what pads it gets no colour,
    because nobody could look there for a reason. None: everywhere.
    """
    (enlarged,) = enlarge(heat[None], len(image))
    shown = np.ones(enlarged.shape, bool) if box is None else inside(box, len(image))
    enlarged = np.where(shown, enlarged, 0)
    size = np.abs(enlarged)
    full = float(size.max()) if strongest is None else strongest
    strength = MOST_OPAQUE * np.clip(size / max(full, 1e-12), 0, 1)[..., None]
    grey = 255 - 0.6 * (255 - image @ np.array(GREY_SHARES))
    colour = np.where(enlarged[..., None] > 0, FOR, AGAINST)
    mixed: NDArray[np.uint8] = np.rint(grey[..., None] * (1 - strength) + colour * strength).astype(np.uint8)
    mixed[~shown] = PADDING
    return mixed


def data_url(pixels: NDArray[np.uint8]) -> str:
    """RGB pixels (h, w, 3) as a PNG in a data: address."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
