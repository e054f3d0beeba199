"""A bundle as MLflow's generic model, a pyfunc: a table of images in, a table of predictions out.

MLflow imports this module by its name when it loads the model. Nothing here needs MLflow.
"""

import base64
import binascii
from pathlib import Path

import pandas as pd

from lacuna.core.targets import Targets
from lacuna.inference.output_files import columns, flat
from lacuna.inference.predictor import Predictor

IMAGE = "image"
"""The column of the input: the contents of image files."""


class ImageModel:
    """What `mlflow.pyfunc.load_model` wraps."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        types = output_types(predictor.bundle.targets)
        self._columns = list(types)
        self._numbers = [name for name, kind in types.items() if kind == "double"]

    def predict(self, table: pd.DataFrame) -> pd.DataFrame:
        """Predict for each row of `table`; the output has the same index and the columns of `output_types`.

        The column IMAGE of `table` holds bytes, or their base64 text as in a JSON request. For an image that can't be
        read, `error` says why and the other columns are None (NaN is not valid JSON); the columns of probabilities then
        have the type object.
        """
        rows = map(flat, self._predictor.stream(map(_content, table[IMAGE])))
        predicted = pd.DataFrame(
            [[row.get(name) for name in self._columns] for row in rows], table.index, self._columns, object
        )
        return predicted.astype({name: float for name in self._numbers if predicted[name].notna().all()})


def output_types(targets: Targets) -> dict[str, str]:
    """The columns of the output with MLflow's types: those of a file of predictions, except two.

    Images have no names here, so `image` is missing; `TARGET.unsure` depends on a precision that nobody asked for.
    """
    types = {str: "string", bool: "boolean", float: "double"}
    return {
        name: types[kind] for name, kind in columns(targets).items() if name != "image" and not name.endswith(".unsure")
    }


def _content(image: object) -> bytes:
    """The bytes of an image file, decoded from base64 if need be: MLflow does that for some request formats only.

    The two cannot be confused, because no image file consists of base64's letters alone.
    """
    text = image if isinstance(image, bytes) else "".join(str(image).split()).encode()
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return text


def _load_pyfunc(path: str) -> ImageModel:
    return ImageModel(Predictor.load(Path(path)))
