"""Types of the values in params.yaml that several keys share or that need a check of their own."""

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
OpenFraction = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Words = Annotated[tuple[str, ...], Field(strict=False)]
_Level = Annotated[float, Field(ge=0, le=255)]
Channels = Annotated[tuple[_Level, _Level, _Level], Field(strict=False)]
"""Levels of red, green and blue."""
Source = Literal[
    "labels_txt",
    "table",
    "folders",
    "idx",
    "label_studio",
    "cvat",
    "coco",
    "open_images",
    "image_folder",
    "celeba",
    "oxford_pets",
    "cub",
    "voc_lists",
    "file_names",
]
LABELLED_BY_PLACE: tuple[Source, ...] = ("folders", "idx")
"""The sources whose labels are where the images lie: data.labels is data.path again, targets are categorical."""
LabelKind = Literal["binary", "categorical", "tags"]
"""What a column of labels holds: that of a target, or lists of tags, each of which becomes a binary target."""
Scheme = Literal["balanced", "effective_number", "none"]
Rule = Literal["expected_f1", "pr_argmax", "min_recall", "min_precision", "cost", "fixed"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"]


def layers_or_block(value: object) -> int | str:
    if (type(value) is int and value >= 0) or (isinstance(value, str) and re.fullmatch(r"[a-z]\w*", value)):
        return value
    raise ValueError(f"expected a number of layers, the name of a block or all, received {value!r}")


def all_top_or_blocks(value: object) -> str | tuple[str, ...]:
    if value in ("all", "top"):
        return str(value)
    if isinstance(value, list | tuple) and value and all(isinstance(name, str) for name in value):
        return tuple(value)
    raise ValueError(f"expected all, top or a list of blocks, received {value!r}")


def _in_corrections(path: str) -> str:
    if path and not re.fullmatch(r"corrections/[^/]+", path):
        raise ValueError(f'expected "" or a file in the folder corrections/, received {path!r}')
    return path


CorrectionsPath = Annotated[str, AfterValidator(_in_corrections)]


class Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class IgnoredWith:
    """Marks a parameter that has no effect while the parameter `key` of the same block has one of `values`."""

    key: str
    values: tuple[str | int, ...]
