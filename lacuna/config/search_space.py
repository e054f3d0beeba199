"""The space that `python -m lacuna tune` searches: ranges and choices of parameters, checked before any training."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Value = bool | int | float | str

STAGE_OF = {
    "sample": "sample",
    "data": "ingest or prepare",
    "split": "prepare",
    "class_weights": "prepare",
    "backbone": "featurize",
    "augment": "featurize",
    "features": "featurize",
    "finetune.unfreeze": "featurize",
    "calibrate": "calibrate",
    "evaluate": "evaluate",
    "explain": "explain",
    "track": "track",
    "tune": "no stage",
}
"""Who reads the parameters that training alone does not answer to."""

SEARCHED_BLOCKS = ("head", "train", "optimizer", "warmup", "finetune")

FIXED = {
    "train.seed": "every setting is trained with the same seeds, counted up from this one",
    "train.targets": "settings that learn other targets can't be compared",
}


class Range(BaseModel):
    """The values of one parameter: all between `low` and `high`, ends included, or those listed in `choices`.

    `log` has every order of magnitude tried as often as every other.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    choices: Annotated[tuple[Value, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _is_one_or_the_other(self) -> Self:
        ends = (self.low is not None) + (self.high is not None)
        if (ends, bool(self.choices)) not in ((2, False), (0, True)) or (self.choices and self.log):
            raise ValueError("expected {low: , high: } or {low: , high: , log: true} or {choices: [, ]}")
        if self.low is not None and self.high is not None:
            if self.low >= self.high:
                raise ValueError(f"low must be below high, received {self.low:g} and {self.high:g}")
            if self.log and self.low <= 0:
                raise ValueError(f"with log, low must be above 0, received {self.low:g}")
        if len(set(map(repr, self.choices))) < len(self.choices) or len(self.choices) == 1:
            raise ValueError(f"choices must be two or more that differ, received {list(self.choices)}")
        return self

    @property
    def named_values(self) -> dict[str, Value]:
        """The values that stand in the file, by what they are called there."""
        if self.low is not None and self.high is not None:
            return {"low": self.low, "high": self.high}
        return {f"choice {value!r}": value for value in self.choices}


def check_space(params: BaseModel, space: Mapping[str, Range]) -> None:
    """Raise ValueError, naming the key, when a key is no parameter that training alone answers to, or a value is none.

    What an earlier stage reads is refused: trials train on the features and labels that are there.
    """
    for key, values in space.items():
        block, _, name = key.partition(".")
        model = getattr(params, block, None)
        if not isinstance(model, BaseModel) or name not in type(model).model_fields:
            raise ValueError(f"tune.space.{key}: params.yaml has no such key")
        if key in FIXED:
            raise ValueError(f"tune.space.{key}: {FIXED[key]}; remove it from the space")
        if key in STAGE_OF or block in STAGE_OF:
            raise ValueError(
                f"tune.space.{key}: read by {STAGE_OF.get(key, STAGE_OF.get(block))}, and trials run training alone; "
                f"expected a key of {', '.join(SEARCHED_BLOCKS)}; try this one with dvc exp run -S {key}="
            )
        for called, value in values.named_values.items():
            _check_value(model, name, value, f"tune.space.{key}: {called}")


def typed_space(params: BaseModel, space: Mapping[str, Range]) -> dict[str, Range]:
    """The space with the ends of what is no whole number as floats: from 0 to 3 then means 1.7 as well."""
    typed = {}
    for key, values in space.items():
        block, _, name = key.partition(".")
        is_whole = type(getattr(params, block)).model_fields[name].annotation is int
        if values.low is not None and values.high is not None and not is_whole:
            values = values.model_copy(update={"low": float(values.low), "high": float(values.high)})
        typed[key] = values
    return typed


def get_value(params: BaseModel, key: str) -> Any:
    """The value of a dotted key."""
    block, _, name = key.partition(".")
    return getattr(getattr(params, block), name)


def set_values(params: Any, values: Mapping[str, Value]) -> Any:
    """The parameters with the values of some dotted keys replaced, validated."""
    content = params.model_dump()
    for key, value in values.items():
        block, _, name = key.partition(".")
        content[block][name] = value
    return type(params).model_validate(content)


def _check_value(model: BaseModel, name: str, value: Value, where: str) -> None:
    try:
        type(model).model_validate({**model.model_dump(), name: value})
    except ValidationError as error:
        expected = error.errors()[0]["msg"].removeprefix("Input should ")
        raise ValueError(f"{where}: should {expected}, received {value!r}") from None
