"""What the names of images say, by a regular expression with named groups: `data.name_pattern`."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lacuna.data.labels.label_table import WordColumn, to_arrow
from lacuna.errors import LacunaError


def read_names(pattern: str, images: Sequence[str]) -> tuple[dict[str, WordColumn], NDArray[np.bool_]]:
    """The words of each named group, and which images the pattern fits, bool `(n_images,)`.

    It is read from the beginning of the file's name, or of the whole path where it holds a slash. RE2 reads it, in time
    that grows with the names' length alone, whatever the pattern is. Raises LacunaError at what only Python would read.

    >>> columns, fits = read_names(r"(?P<age>\\d+)_(?P<sex>\\d)", ["a/31_0_x.jpg", "old.jpg"])
    >>> columns["age"].words, columns["age"].code.tolist(), fits.tolist()
    (('31', ''), [0, 1], [True, False])
    """
    subjects = images if "/" in pattern else [image.rpartition("/")[2] for image in images]
    try:
        found = pc.extract_regex(to_arrow(subjects), f"^(?:{pattern})")
    except pa.ArrowInvalid as error:
        raise LacunaError(
            f"params.yaml: data.name_pattern: {str(error)[:200]}; expected RE2's syntax, without looking around and "
            "references back"
        ) from None
    fits = found.is_valid().to_numpy(zero_copy_only=False)
    names = [found.type.field(place).name for place in range(found.type.num_fields)]
    return {name: WordColumn.of(words) for name, words in zip(names, found.flatten(), strict=True)}, fits
