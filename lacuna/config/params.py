"""The whole of params.yaml, and the rules that join its blocks."""

from typing import Self, get_origin

from pydantic import model_validator

from lacuna.config import blocks
from lacuna.config.backbone import ONNX, Backbone
from lacuna.config.data import Data
from lacuna.config.search_space import check_space
from lacuna.config.types import Block


class Params(Block):
    """The whole of params.yaml."""

    sample: blocks.Sample
    data: Data
    split: blocks.Split
    class_weights: blocks.ClassWeights
    explore: blocks.Explore
    backbone: Backbone
    augment: blocks.Augment
    features: blocks.Features
    head: blocks.Head
    train: blocks.Train
    optimizer: blocks.Optimizer
    warmup: blocks.Warmup
    finetune: blocks.Finetune
    calibrate: blocks.Calibrate
    evaluate: blocks.Evaluate
    export: blocks.Export
    audit: blocks.Audit
    baseline: blocks.Baseline
    explain: blocks.Explain
    out_of_distribution: blocks.OutOfDistribution
    report: blocks.Report
    track: blocks.Track
    tune: blocks.Tune
    execution: blocks.Execution

    @model_validator(mode="after")
    def _exact_heads_are_convex(self) -> Self:
        if self.warmup.solver == "exact":
            for key, value, wanted in (
                ("head.hidden_units", self.head.hidden_units, 0),
                ("train.loss", self.train.loss, "cross_entropy"),
                ("train.hardest", self.train.hardest, 1.0),
            ):
                if value != wanted:
                    raise ValueError(
                        f"warmup.solver: exact solves a linear head of cross-entropy over all images, and {key} is "
                        f"{value}; write warmup.solver: sgd, or {key}: {wanted}"
                    )
        return self

    @model_validator(mode="after")
    def _an_onnx_file_stays_as_it_is(self) -> Self:
        if self.backbone.name == ONNX:
            if self.finetune.epochs:
                raise ValueError(
                    f"backbone.name: onnx is a frozen file that no fine-tuning can change, and finetune.epochs is "
                    f"{self.finetune.epochs}; write finetune.epochs: 0"
                )
            for key, wanted in self.export:
                if wanted:
                    raise ValueError(f"export.{key}: a backbone from an ONNX file is exported as it is; write false")
        return self

    @model_validator(mode="after")
    def _no_size_is_seen_twice(self) -> Self:
        seen = self.features.seen(self.data.image_size)
        if len(set(seen)) < len(seen):
            raise ValueError(
                f"features.sizes: {self.data.image_size} stands there twice, once as 0, the size of the stored images"
            )
        return self

    @model_validator(mode="after")
    def _stages_are_of_one_backbone(self) -> Self:
        if len(self.backbone.names) > 1 and not isinstance(self.features.stages, str):
            raise ValueError(
                f"features.stages: {list(self.features.stages)} names blocks of one backbone, and backbone.name has "
                f"{len(self.backbone.names)}; write all or top"
            )
        return self

    @model_validator(mode="after")
    def _rules_name_targets(self) -> Self:
        kinds = self.data.kinds
        if kinds and "tags" not in kinds.values():  # what tags there are, the label file tells
            for key, names in (
                ("train.targets", self.train.targets),
                ("train.target_weights", self.train.target_weights),
                ("warmup.l2", self.warmup.l2),
            ):
                for name in names:
                    if name not in kinds:
                        raise ValueError(f"{key} names {name!r}, which is none of data.targets")
            for name in self.calibrate.rules:
                if name not in kinds:
                    raise ValueError(f"calibrate.rules names {name!r}, which is none of data.targets")
                if kinds[name] == "categorical":
                    raise ValueError(
                        f"calibrate.rules.{name}: expected a binary target; a categorical one is decided by "
                        "calibrate.logit_adjustment"
                    )
        check_space(self, self.tune.space)
        return self


FREE_MAPPINGS = frozenset(
    f"{block}.{key}"
    for block, keys in Params.model_fields.items()
    for key, field in keys.annotation.model_fields.items()  # type: ignore[union-attr]
    if get_origin(field.annotation) is dict
)
"""Parameters whose keys are the user's own, such as data.targets."""
