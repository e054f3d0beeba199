"""The finished bundle as a model in MLflow's registry: columns in and out, an example, libraries."""

import io
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lacuna.core.targets import Targets
from lacuna.inference.bundle import read_description
from lacuna.tracking import pyfunc as mlflow_loader
from lacuna.tracking.content import Model


def describe_model(name: str, bundle: Path, *, pixels: NDArray[np.uint8], lock: Path) -> Model:
    """The bundle under `name`. `pixels` (height, width, 3) become the example, `lock` pins what predicting needs."""
    picture = io.BytesIO()
    Image.fromarray(pixels).save(picture, "PNG")
    return Model(
        name=name,
        bundle=bundle,
        loader=mlflow_loader.__name__,
        inputs={mlflow_loader.IMAGE: "binary"},
        outputs=mlflow_loader.output_types(Targets.from_json(read_description(bundle)["targets"])),
        example={mlflow_loader.IMAGE: picture.getvalue()},
        requirements=[*_pins(lock), *(f"{library}=={version(library)}" for library in ("mlflow", "pandas"))],
    )


def _pins(lock: Path) -> list[str]:
    """The lines of a lock without their hashes, which a list of requirements in MLflow has no place for."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    return [line.removesuffix("\\").strip() for line in lines if line[:1].isalnum()]
