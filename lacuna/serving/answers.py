"""The JSON of every answer, and how it is made of predictions. The fields' examples are what /docs shows."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

import lacuna
from lacuna.inference.bundle import BUNDLE_FORMAT
from lacuna.inference.prediction import HeatMap, TargetPrediction, UnnamedPrediction
from lacuna.serving.models import ServedModel
from lacuna.serving.settings import Limits

REAL_ANSWER = json.loads(Path(__file__).with_name("example_answer.json").read_text(encoding="utf-8"))
"""What the model of the embedded emoji answers to one of them: `curl -F file=@1f436.png -F top_k=2 …/predict`."""

NAME, TARGET = REAL_ANSWER["image"], "animal"
CLASSES = ["absent", "present"]
ANSWERED = REAL_ANSWER["targets"][TARGET]


class ErrorDetail(BaseModel):
    code: str = Field(description="for programs: stays the same", examples=["unreadable_image"])
    message: str = Field(
        description="for people: what was wrong, what was expected, what to do", examples=["empty file; expected …"]
    )


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
    model_config = ConfigDict(json_schema_extra={"examples": [REAL_ANSWER]})

    image: str
    models: list[str]
    unfamiliar: bool | None = Field(None, description="unlike the images the model has learned from")
    targets: dict[str, TargetAnswer]


class ImageError(BaseModel):
    image: str = Field(examples=["notes.txt"])
    error: ErrorDetail


class BatchAnswer(BaseModel):
    images: list[ImageAnswer | ImageError]


class HeatMapValues(BaseModel):
    height: int = Field(examples=[2])
    width: int = Field(examples=[2])
    values: list[list[float]] = Field(
        description="what each place adds to the score; negative: speaks against it",
        examples=[[[1.2, 0.4], [-0.1, 0.7]]],
    )


class ExplainAnswer(BaseModel):
    image: str = Field(examples=[NAME])
    target: str = Field(examples=[TARGET])
    class_name: str = Field(serialization_alias="class", examples=[ANSWERED["decision"]])
    probability: float = Field(ge=0, le=1, description="of the class", examples=[ANSWERED["probability"]])
    heat_map: HeatMapValues
    overlay: str = Field(
        description="PNG of the image as the network sees it: orange speaks for the class, blue against",
        examples=["data:image/png;base64,iVBORw0KGgo…"],
    )


class Health(BaseModel):
    status: Literal["ok", "UP", "draining"] = Field(description="UP, as Label Studio has it, where it is served")
    live: bool
    ready: bool = Field(description="false while it finishes what it has taken, then ends")


class TargetDescription(BaseModel):
    kind: Literal["binary", "categorical"]
    classes: list[str] = Field(examples=[CLASSES])
    rule: str = Field(description="how it is decided", examples=["expected_f1"])
    threshold: float | None = Field(None, examples=[ANSWERED["threshold"]])


class ModelDescription(BaseModel):
    name: str = Field(examples=REAL_ANSWER["models"])
    version: str = Field(description="the first 12 hex digits of the SHA-256 of bundle.json", examples=["bf0c2caa7d65"])
    format_version: int = Field(examples=[BUNDLE_FORMAT])
    explainable: bool
    targets: dict[str, TargetDescription]
    metrics: dict[str, Any] = Field(
        description="on the test part, with intervals",
        examples=[{"targets": {TARGET: {"f1": 0.71, "f1_low": 0.58, "f1_high": 0.81}}}],
    )
    origin: dict[str, Any] = Field(
        description="hashes of data and parameters, versions of the libraries",
        examples=[{"versions": {"lacuna": lacuna.__version__}}],
    )
    min_precision: float | None = Field(None, examples=[0.95])


class LimitsDescription(BaseModel):
    max_upload_bytes: int = Field(examples=[Limits.max_upload_bytes])
    max_batch_images: int = Field(examples=[Limits.max_batch_images])
    max_pixels: int = Field(examples=[50_000_000])


class Metadata(BaseModel):
    models: list[ModelDescription]
    limits: LimitsDescription
    lacuna: str = Field(examples=[lacuna.__version__])


class Example(BaseModel):
    name: str = Field(examples=[NAME])
    url: str = Field(examples=[f"examples/{NAME}"])


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
