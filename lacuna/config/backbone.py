"""The block `backbone` of params.yaml: which pretrained networks, and where their weights come from."""

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from lacuna.config.types import Block, Channels, Interpolation

WITHOUT_IMAGENET_WEIGHTS = ("small_cnn",)
"""The backbones that are trained from random weights alone."""

BACKBONE_NAMES = (
    "efficientnet_lite0",
    "efficientnet_lite1",
    "efficientnet_lite2",
    "efficientnet_b0",
    "efficientnet_v2b0",
    "mobilenet_v2",
    "resnet50",
    "small_cnn",
)
"""The backbones that are layers of Keras. Several may stand beside each other."""

ONNX = "onnx"
"""The name of a backbone that is a file of the user's own, which `backbone.weights` names."""

KERAS_HUB = "keras_hub"
"""The name of a backbone that is a preset of KerasHub, which `backbone.weights` names."""


def _one_or_several(name: object) -> str | tuple[str, ...]:
    if isinstance(name, str) and name in (*BACKBONE_NAMES, ONNX, KERAS_HUB):
        return name
    several = tuple(name) if isinstance(name, list | tuple) else ()
    if len(several) > 1 and all(one in BACKBONE_NAMES for one in several) and len(set(several)) == len(several):
        return several
    raise ValueError(
        f"expected one of {', '.join(BACKBONE_NAMES)}, {ONNX} or {KERAS_HUB}, or a list of two or more of the others, "
        f"each once, received {name!r}"
    )


class Backbone(Block):
    name: Annotated[str | tuple[str, ...], BeforeValidator(_one_or_several)]
    weights: Annotated[str, Field(min_length=1)]
    mean: Channels
    std: Channels
    interpolation: Interpolation

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each backbone; fine-tuning changes the first."""
        return (self.name,) if isinstance(self.name, str) else self.name

    def each(self) -> tuple["Backbone", ...]:
        """The settings of each backbone alone."""
        return tuple(self.model_copy(update={"name": name}) for name in self.names)

    @field_validator("mean", "std")
    @classmethod
    def _counts_from_0_to_255(cls, values: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        """Numbers for images of 0 to 1, as model cards often give them, would be taken for nearly none of 255."""
        if any(0 < value < 1 or (value == 0 and info.field_name == "std") for value in values):
            raise ValueError(
                f"expected the numbers for pixels from 0 to 255, received {list(values)}; multiply by 255 those for "
                "pixels from 0 to 1"
            )
        return values

    @model_validator(mode="after")
    def _has_such_weights(self) -> Self:
        if self.name == ONNX and self.weights in ("imagenet", "none"):
            raise ValueError(f"weights must be the path of an ONNX file with name onnx, received {self.weights!r}")
        if self.name == KERAS_HUB and self.weights in ("imagenet", "none"):
            raise ValueError(f"weights must be a preset of KerasHub with name keras_hub, received {self.weights!r}")
        if self.weights == "imagenet":
            for name in set(self.names) & set(WITHOUT_IMAGENET_WEIGHTS):
                raise ValueError(f"{name} has no ImageNet weights: set backbone.weights to none")
        if len(self.names) > 1 and self.weights not in ("imagenet", "none"):
            raise ValueError(f"weights must be imagenet or none with several backbones, received {self.weights!r}")
        return self
