"""The parameters: one frozen model per block of params.yaml.

Types and ranges stand here, the values (all of them, there are no defaults) in params.yaml.
"""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PlainValidator, model_validator

from lacuna.config.search_space import Range
from lacuna.config.types import (
    Block,
    Count,
    Fraction,
    IgnoredWith,
    OpenFraction,
    Positive,
    Rule,
    Scheme,
    Seed,
    Words,
    all_top_or_blocks,
    layers_or_block,
)


class Sample(Block):
    images: Annotated[int, Field(ge=50)]
    withhold: Annotated[float, Field(ge=0, le=0.6)]
    seed: Seed


class Split(Block):
    val: OpenFraction
    test: OpenFraction
    seed: Seed
    keep: bool
    min_positives: Count

    @model_validator(mode="after")
    def _leaves_training_images(self) -> Self:
        if self.val + self.test >= 1:
            raise ValueError(f"val + test must stay below 1, received {self.val + self.test:g}")
        return self


class ClassWeights(Block):
    scheme: Scheme
    beta: OpenFraction
    max: Annotated[float, Field(ge=1)]


class Explore(Block):
    classes: Annotated[int, Field(ge=3, le=40)]
    odd_aspect_ratio: Annotated[float, Field(gt=1)]
    alpha: OpenFraction


class Augment(Block):
    views: Annotated[int, Field(ge=0, le=64)]
    horizontal_flip: bool
    vertical_flip: bool
    rotation: Annotated[float, Field(ge=0, le=0.5)]
    zoom: Annotated[float, Field(ge=0, lt=1)]
    brightness: Fraction
    contrast: Fraction
    saturation: Fraction
    cutout: Annotated[float, Field(ge=0, lt=1)]
    seed: Seed


class Features(Block):
    sizes: Annotated[tuple[Annotated[int, Field(ge=0, le=1024)], ...], Field(strict=False, min_length=1)]
    stages: Annotated[str | tuple[str, ...], BeforeValidator(all_top_or_blocks)]
    max_gb: Positive

    @model_validator(mode="after")
    def _sizes_differ(self) -> Self:
        if len(set(self.sizes)) < len(self.sizes):
            raise ValueError(f"sizes must differ from each other, received {list(self.sizes)}")
        return self

    def seen(self, image_size: int) -> tuple[int, ...]:
        """The sides in pixels of the images as the network sees them: 0 is that of the stored ones."""
        return tuple(size or image_size for size in self.sizes)


class Head(Block):
    dropout: Annotated[float, Field(ge=0, lt=1)]
    hidden_units: Annotated[int, Field(ge=0)]


class Train(Block):
    targets: Words
    target_weights: dict[str, Positive]
    loss: Literal["focal", "cross_entropy", "asymmetric"]
    gamma: Annotated[float, Field(ge=0), IgnoredWith("loss", ("cross_entropy",))]
    alpha: Annotated[OpenFraction, IgnoredWith("loss", ("cross_entropy", "asymmetric"))]
    gamma_negative: Annotated[float, Field(ge=0), IgnoredWith("loss", ("cross_entropy", "focal"))]
    margin: Annotated[float, Field(ge=0, lt=1), IgnoredWith("loss", ("cross_entropy", "focal"))]
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    hardest: Annotated[float, Field(gt=0, le=1)]
    batch_size: Count
    seed: Seed


class Optimizer(Block):
    name: Literal["adam", "adamw", "sgd"]
    momentum: Annotated[float, Field(ge=0, lt=1), IgnoredWith("name", ("adam", "adamw"))]
    weight_decay: Annotated[float, Field(ge=0), IgnoredWith("name", ("adam",))]
    schedule: Literal["constant", "cosine", "plateau"]
    ramp: Annotated[float, Field(ge=0, lt=1), IgnoredWith("schedule", ("constant", "plateau"))]
    plateau_factor: Annotated[OpenFraction, IgnoredWith("schedule", ("constant", "cosine"))]
    plateau_patience: Annotated[Count, IgnoredWith("schedule", ("constant", "cosine"))]
    average: Annotated[float, Field(ge=0, lt=1)]


class Warmup(Block):
    solver: Literal["exact", "sgd"]
    l2: dict[str, Positive]
    epochs: Annotated[Count, IgnoredWith("solver", ("exact",))]
    learning_rate: Annotated[Positive, IgnoredWith("solver", ("exact",))]
    resample: Annotated[Literal["none", "mlsmote"], IgnoredWith("solver", ("exact",))]


class Finetune(Block):
    epochs: Annotated[int, Field(ge=0)]
    learning_rate: Annotated[Positive, IgnoredWith("epochs", (0,))]
    unfreeze: Annotated[int | str, PlainValidator(layers_or_block)]
    residual: Annotated[bool, IgnoredWith("epochs", (0,))]
    layer_decay: Annotated[float, Field(gt=0, le=1), IgnoredWith("epochs", (0,))]
    patience: Annotated[Count, IgnoredWith("epochs", (0,))]


class Calibrate(Block):
    rule: Rule
    rules: dict[str, Rule]
    logit_adjustment: Fraction
    min_recall: OpenFraction
    min_precision: OpenFraction
    cost_false_positive: Positive
    cost_false_negative: Positive
    threshold: OpenFraction
    min_positives: Count
    consistent: bool
    folds: Annotated[int, Field(ge=2)]
    seed: Seed


class Evaluate(Block):
    population: Literal["all", "labelled"]
    bootstrap: Annotated[int, Field(ge=50)]
    confidence: OpenFraction
    top_k: Annotated[int, Field(ge=2)]
    seed: Seed


class Baseline(Block):
    neighbours: Count
    cnn_size: Annotated[int, Field(ge=8, le=512)]
    cnn_epochs: Count
    seed: Seed


class Explain(Block):
    images: Count
    embedding: Literal["tsne", "umap"]
    points: Annotated[int, Field(ge=10, le=5000)]
    seed: Seed


class Audit(Block):
    alpha: OpenFraction
    permutations: Annotated[int, Field(ge=99)]
    max_groups: Annotated[int, Field(ge=100)]
    seed: Seed
    escape_formulas: bool


class Report(Block):
    precision: OpenFraction
    certainty: OpenFraction


class Track(Block):
    experiment: Annotated[str, Field(min_length=1)]
    model_name: Annotated[str, Field(pattern=r"^[^/:?'\s]+$")]


class Tune(Block):
    trials: Count
    seeds: Count
    metric: Literal["average_precision", "log_loss", "f1"]
    space: Annotated[dict[str, Range], Field(min_length=1)]


class Execution(Block):
    engine: Literal["local", "ray"]
    address: str
    workers: Annotated[int, Field(ge=0)]


class Export(Block):
    int8: bool
    litert: bool


class OutOfDistribution(Block):
    images: Annotated[int, Field(ge=50)]
    false_alarms: OpenFraction
    seed: Seed
