"""Images that are small in bytes and pixels and still take minutes to decode."""

import io

from PIL import Image

from lacuna.data.images.decode import UnreadableImageError

START_OF_SCAN = b"\xff\xda"

MAX_SCANS_OF_LARGEST = 12
"""How many scans a JPEG of the most pixels allowed may have; a smaller one may have more. Common encoders make 10."""


def refuse_slow(content: bytes, max_pixels: int) -> None:
    """Raise UnreadableImageError for a progressive JPEG with needlessly many scans, before any of them is decoded.

    Each scan costs a pass over all pixels and may be 75 bytes long: with a hundred of them, 200 kB keep a core busy for
    a minute, and a thread that decodes cannot be stopped.
    """
    if not content.startswith(b"\xff\xd8"):
        return
    scans = content.count(START_OF_SCAN)  # in the data between, a byte ff is followed by 00
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG",)) as image:
            n_pixels = image.width * image.height
    except Exception:  # whatever is wrong with it, decoding says so
        return
    if n_pixels * scans > MAX_SCANS_OF_LARGEST * max_pixels:
        raise UnreadableImageError(f"too many scans: {scans} over {image.width} x {image.height} pixels")
