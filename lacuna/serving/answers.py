"""The JSON of every answer, and how it is made of predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, Field

import lacuna
from lacuna.inference.prediction import HeatMap, TargetPrediction, UnnamedPrediction
from lacuna.serving.models import ServedModel
from lacuna.serving.settings import Limits


class ErrorDetail(BaseModel):
    code: str = Field(description="for programs: stays the same")
    message: str = Field(description="for people: what was wrong, what was expected, what to do")


class ErrorAnswer(BaseModel):
    error: ErrorDetail


class NotExplainable(ErrorAnswer):
    explainable: Literal[False]


class Label(BaseModel):
    label: str
    confidence: float = Field(ge=0, le=1, description="calibrated probability")


class TargetAnswer(BaseModel):
    kind: Literal["binary", "categorical"]
    decision: str = Field(description="the class that the target's rule decides for")
    probability: float = Field(ge=0, le=1, description="of the second class if binary, else of the decided one")
    threshold: float | None = Field(None, description="binary: decided for the second class from here on")
    unsure: bool | None = Field(None, description="not certain enough for --min-precision")
    top: list[Label] = Field(description="the most probable classes")


class ImageAnswer(BaseModel):
    image: str
    models: list[str]
    unfamiliar: bool | None = Field(None, description="unlike the images the model has learned from")
    targets: dict[str, TargetAnswer]


class ImageError(BaseModel):
    image: str
    error: ErrorDetail


class BatchAnswer(BaseModel):
    images: list[ImageAnswer | ImageError]


class HeatMapValues(BaseModel):
    height: int
    width: int
    values: list[list[float]] = Field(description="what each place adds to the score; negative: speaks against it")


class ExplainAnswer(BaseModel):
    image: str
    target: str
    class_name: str = Field(serialization_alias="class")
    probability: float = Field(ge=0, le=1, description="of the class")
    heat_map: HeatMapValues
    overlay: str = Field(
        description="PNG of the image as the network sees it: orange speaks for the class, blue against"
    )


class Health(BaseModel):
    status: Literal["ok", "UP", "draining"] = Field(description="UP, as Label Studio has it, where it is served")
    live: bool
    ready: bool


class TargetDescription(BaseModel):
    kind: Literal["binary", "categorical"]
    classes: list[str]
    rule: str
    threshold: float | None = None


class ModelDescription(BaseModel):
    name: str
    version: str = Field(description="the first 12 hex digits of the SHA-256 of bundle.json")
    format_version: int
    explainable: bool
    targets: dict[str, TargetDescription]
    metrics: dict[str, Any] = Field(description="on the test part, with intervals")
    origin: dict[str, Any] = Field(description="hashes of data and parameters, versions of the libraries")
    min_precision: float | None = None


class LimitsDescription(BaseModel):
    max_upload_bytes: int
    max_batch_images: int
    max_pixels: int


class Metadata(BaseModel):
    models: list[ModelDescription]
    limits: LimitsDescription
    lacuna: str


class Example(BaseModel):
    name: str
    url: str


@dataclass(frozen=True)
class Merged:
    """The predictions of all models for one image, targets by their names in answers."""

    models: list[str]
    targets: dict[str, TargetPrediction]
    unfamiliar: bool | None


def merge(models: Sequence[ServedModel], predictions: Sequence[UnnamedPrediction]) -> Merged:
    """Merge each model's prediction for an image. It is unfamiliar when any model that can tell says so."""
    targets = {
        model.keys[name]: target
        for model, prediction in zip(models, predictions, strict=True)
        for name, target in prediction.targets.items()
    }
    known = [prediction.unfamiliar for prediction in predictions if prediction.unfamiliar is not None]
    return Merged([model.name for model in models], targets, any(known) if known else None)


def image_answer(name: str, merged: Merged, top_k: int) -> ImageAnswer:
    targets = {key: _target_answer(target, top_k) for key, target in merged.targets.items()}
    return ImageAnswer(image=name, models=merged.models, unfamiliar=merged.unfamiliar, targets=targets)


def explain_answer(name: str, key: str, heat_map: HeatMap, overlay: str) -> ExplainAnswer:
    target = heat_map.prediction.targets[heat_map.target]
    height, width = heat_map.values.shape
    return ExplainAnswer(
        image=name,
        target=key,
        class_name=heat_map.class_name,
        probability=_share(target.probabilities[heat_map.class_name]),
        heat_map=HeatMapValues(height=height, width=width, values=heat_map.values.tolist()),
        overlay=overlay,
    )


def metadata(models: Sequence[ServedModel], limits: Limits, min_precision: float | None) -> Metadata:
    return Metadata(
        models=[_model_description(model, min_precision) for model in models],
        limits=LimitsDescription(
            max_upload_bytes=limits.max_upload_bytes,
            max_batch_images=limits.images_per_request,
            max_pixels=min(model.max_pixels for model in models),
        ),
        lacuna=lacuna.__version__,
    )


def _target_answer(target: TargetPrediction, top_k: int) -> TargetAnswer:
    ranked = sorted(target.probabilities.items(), key=lambda item: -item[1])
    return TargetAnswer(
        kind=target.kind,
        decision=target.decision,
        probability=_share(target.probability),
        threshold=target.threshold,
        unsure=target.unsure,
        top=[Label(label=label, confidence=_share(probability)) for label, probability in ranked[:top_k]],
    )


def _share(probability: float) -> float:
    """Clipped to 0 and 1, which rounding errors may exceed."""
    return min(max(probability, 0.0), 1.0)


def _model_description(model: ServedModel, min_precision: float | None) -> ModelDescription:
    bundle, description = model.predictor.bundle, model.predictor.description
    targets = {}
    for target in bundle.targets:
        calibration = bundle.calibration.targets[target.name]
        targets[target.name] = TargetDescription(
            kind=target.kind, classes=list(target.classes), rule=calibration.rule, threshold=calibration.threshold
        )
    return ModelDescription(
        name=model.name,
        version=model.version,
        format_version=description["format_version"],
        explainable=model.predictor.explainable,
        targets=targets,
        metrics=description["metrics"].get("test", {}),
        origin=description["origin"],
        min_precision=min_precision,
    )
