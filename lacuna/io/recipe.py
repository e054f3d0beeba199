"""What a computed piece is known by: everything that shapes it, code included, as one digest."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LIBRARY = Path(__file__).parents[1]


def digest_recipe(code: Sequence[str], *inputs: NDArray[Any] | str) -> str:
    """A digest of 32 hexadecimal digits of the code of packages and modules, and of texts and arrays.

    code: paths below `lacuna/`, with forward slashes: folders, of which every module counts, and modules.
    """
    digest = hashlib.sha256()
    for part in code:
        path = LIBRARY / part
        for module in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(module.read_bytes())
    for given in inputs:
        digest.update(given.encode() if isinstance(given, str) else np.ascontiguousarray(given).tobytes())
        digest.update(b"\0")
    return digest.hexdigest()[:32]
