"""What bundle.json says, checked down to the last number before anything is made of it.

A bundle comes from elsewhere. Its hashes tell that it is whole, not that it makes sense: so every value has its type
and its range here, and whether they fit together is checked where they are put together (`lacuna.inference.bundle`).
"""

import json
import math
from typing import Annotated, Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError

from lacuna.core.feature_store import Statistic
from lacuna.core.targets import Kind
from lacuna.core.working_image import Resize

MAX_IMAGE_SIZE = 1024

Proportion = Annotated[float, Field(ge=0, le=1)]
Hashes = dict[str, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]]
"""SHA-256 of files by their names."""


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class _Input(_Part):
    image_size: Annotated[int, Field(gt=0, le=MAX_IMAGE_SIZE)]
    resize: Resize
    max_pixels: PositiveInt


class _Network(_Part):
    backbone: str
    input: _Input
    files: Hashes
    folder: Annotated[str, Field(pattern="^[0-9]*$")]  # nothing outside of the bundle


class _Target(_Part):
    name: str
    kind: Kind
    classes: Annotated[list[str], Field(min_length=1)]


class _Parameters(_Part):
    scale: Annotated[float, Field(ge=0)]  # 0: the same probabilities for all images
    bias: list[float]
    adjustment: list[float]


class _TargetCalibration(_Part):
    kind: Kind
    parameters: _Parameters
    rule: str
    threshold: Proportion | None = None
    threshold_low: Proportion | None = None
    threshold_high: Proportion | None = None
    n_known: NonNegativeInt
    n_positive: NonNegativeInt | None = None
    warnings: list[str]
    population: Literal["all", "labelled"]


class _ColumnBlock(_Part):
    size: PositiveInt
    stage: str
    statistic: Statistic
    channels: PositiveInt
    top: bool
    tuned: bool
    backbone: str


class _Relation(_Part):
    child: str
    parent: str
    agreement: Proportion
    classes: dict[str, str]


class _Calibration(_Part):
    version: int
    targets: dict[str, _TargetCalibration]
    relations: list[_Relation]


class _Layout(_Part):
    blocks: Annotated[list[_ColumnBlock], Field(min_length=1)]


class _Description(_Part):
    """The content of bundle.json; `lacuna.inference.bundle.write_bundle` says what is what."""

    format_version: int
    networks: Annotated[list[_Network], Field(min_length=1)]
    targets: Annotated[list[_Target], Field(min_length=1)]
    calibration: _Calibration
    training_counts: dict[str, list[NonNegativeInt]]
    predictions: Hashes
    out_of_distribution: Hashes
    card: Hashes
    images: Hashes = {}
    origin: dict[str, Any]
    metrics: dict[str, dict[str, Any]]


def parse_json(text: str) -> Any:
    """What a JSON text says. Raises ValueError where it is none, or has a number that is not finite."""

    def refuse(word: str) -> NoReturn:
        raise ValueError(f"{word} is no finite number")

    def finite(word: str) -> float:
        number = float(word)
        return number if math.isfinite(number) else refuse(word)

    return json.loads(text, parse_constant=refuse, parse_float=finite)


def check_description(content: Any) -> None:
    """Check the content of bundle.json. Raises ValueError, which names the first value that cannot be, and why."""
    _check(_Description, content)


def check_layout(content: Any) -> None:
    """Check the content of layout.json. Raises ValueError as `check_description` does."""
    _check(_Layout, {"blocks": content})


def _check(wanted: type[BaseModel], content: Any) -> None:
    try:
        wanted.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place[:200]}: {first['msg'][:200]}") from None
