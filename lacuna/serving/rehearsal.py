"""Models that have answered before anybody asks them: a bundle may be whole, make sense, and still not work."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from lacuna.errors import LacunaError
from lacuna.io.cores import n_cores
from lacuna.presentation import overlay
from lacuna.serving.answers import explain_answer, image_answer, merge, metadata
from lacuna.serving.models import ServedModel, load_models
from lacuna.serving.settings import Settings

PICTURE_SIDE = 64

EVERY_CLASS = 2**31


def load_rehearsed(settings: Settings) -> tuple[ServedModel, ...]:
    """Load every bundle, and have each answer for a picture with all it has: predictions, heat maps, metadata.

    Raises LacunaError as `load_models` does, and where a bundle cannot answer.
    """
    models = load_models(settings)
    for model in models:
        try:
            _rehearse(model, settings)
        except Exception as error:  # whatever is wrong with it would be an error 500 later
            reason = " ".join(str(error).split())[:200]
            raise LacunaError(
                f"{model.predictor.folder}: the model cannot answer ({type(error).__name__}: {reason}); "
                "run `dvc repro bundle`, or copy the whole folder again"
            ) from None
    return models


def _rehearse(model: ServedModel, settings: Settings) -> None:
    predictor, picture = model.predictor, _picture()
    inputs = predictor.decode(picture)
    with ThreadPoolExecutor(n_cores()) as callers:  # OpenVINO answers several at a time in another way than one
        (prediction,), *_ = callers.map(predictor.predict_decoded, [[inputs]] * n_cores())
    _speak(image_answer("rehearsal", merge([model], [prediction]), EVERY_CLASS))
    _speak(metadata([model], settings.limits, settings.min_precision))
    if predictor.explainable:
        pixels = next(iter(inputs.values()))
        for name, key in model.keys.items():
            found = predictor.explain(picture, name)
            _speak(explain_answer("rehearsal", key, found, overlay.data_url(overlay.overlay(pixels, found.values))))


def _picture() -> NDArray[np.uint8]:
    """Colours that run across, with noise: an image with something in it."""
    rows, columns = np.mgrid[:PICTURE_SIDE, :PICTURE_SIDE] * 255 // (PICTURE_SIDE - 1)
    noise = np.random.default_rng(0).integers(0, 64, (PICTURE_SIDE, PICTURE_SIDE, 3))
    return np.minimum(np.stack([rows, columns, 255 - rows], axis=2) + noise, 255).astype(np.uint8)


def _speak(answer: BaseModel) -> None:
    """Put an answer into JSON as the service does. Raises ValueError for numbers that JSON has no word for."""
    json.dumps(answer.model_dump(mode="json", by_alias=True), allow_nan=False)
