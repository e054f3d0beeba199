"""The names of images in tasks of Label Studio, without what it adds to them."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from lacuna.data.images.formats import IMAGE_SUFFIXES
from lacuna.data.labels.annotations.annotation_files import as_word, describe_value
from lacuna.errors import LacunaError
from lacuna.io.names import listed, shortened

_UPLOADED = re.compile(r"(?:.*/)?(?:data/)?upload/\d+/([0-9a-f]{8}-(.+))")


class ImageNames:
    """Finds a task's image: `column` where the task has it, else its one field that is called like an image.

    `images`: the names of all images that ingest met.
    """

    def __init__(self, column: str, images: Sequence[str]) -> None:
        self._column = column
        self._names = {image.rsplit("/", 1)[-1] for image in images}
        self._by_stored: dict[str, set[str]] = {}
        for name in self._names:
            self._by_stored.setdefault(_as_stored(name), set()).add(name)

    def find(self, fields: Mapping[str, object], place: str) -> str:
        """The image's name or path. Raises LacunaError when there is none, or more than one and `column` is neither."""
        value = fields.get(self._column)
        if value is None:
            found = [key for key, value in fields.items() if isinstance(value, str) and is_image_name(value)]
            if len(found) != 1:
                what = "no field with an image" if not found else f"several images, in {listed(found)}"
                raise LacunaError(
                    f"{place}: {what}; data.image_column must name one of the task's fields {listed(list(fields))}"
                )
            value = fields[found[0]]
        if not isinstance(value, str):
            raise LacunaError(
                f"{place}: expected an image's name in {shortened(self._column)}, received {describe_value(value)}"
            )
        name = as_word(bare_image_name(value), place, self._column)
        uploaded = _UPLOADED.fullmatch(name)
        if uploaded is None or uploaded[1] in self._names:
            return name
        written = self._by_stored.get(uploaded[2], set())
        return uploaded[2] if uploaded[2] in self._names or len(written) != 1 else next(iter(written))


def bare_image_name(value: str) -> str:
    """The path that Label Studio's own addresses lead to; others as they are.

    >>> bare_image_name("/data/local-files/?d=photos/a%20b.jpg")
    'photos/a b.jpg'
    """
    try:
        address = urlsplit(value)
        query = parse_qs(address.query)
    except ValueError:  # what only looks like an address
        return value
    if address.path.rstrip("/").endswith("/data/local-files") and "d" in query:
        return query["d"][0]
    if "/resolve" in address.path and "fileuri" in query:
        try:
            return base64.b64decode(query["fileuri"][0], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return value
    return unquote(address.path) if _UPLOADED.fullmatch(address.path) else value


def is_image_name(value: str) -> bool:
    """Whether a field of a task ends like the name or address of an image."""
    name = bare_image_name(value)
    path = name.split("?")[0].split("#")[0] if "://" in name else name
    return PurePosixPath(path).suffix.lower() in IMAGE_SUFFIXES


def _as_stored(name: str) -> str:
    """What Label Studio's upload makes of a file's name: blanks are low lines, other signs are left out."""
    return re.sub(r"[^-\w.]", "", name.strip().replace(" ", "_"))
