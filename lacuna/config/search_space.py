"""The space that `python -m lacuna tune` searches: ranges and choices of parameters, checked before any training."""

from collections.abc import Mapping
from itertools import combinations, product
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lacuna.config.renamed import RENAMED
from lacuna.config.types import IgnoredWith

Value = bool | int | float | str

SEARCHED_BLOCKS = ("head", "train", "optimizer", "warmup", "finetune")
"""The blocks that a trial trains with other values of; everything else is as earlier stages left it."""

TRAINING_BLOCKS = ("backbone", "augment", "features", *SEARCHED_BLOCKS)
"""The blocks that a training reads."""

CHOICE_KEYS = ("calibrate.folds", "calibrate.seed", "evaluate.bootstrap", "evaluate.confidence", "evaluate.seed")
"""What else decides whether fine-tuning is kept."""

FIXED = {
    "train.seed": "every setting is trained with the same seeds, counted up from this one",
    "train.targets": "settings that learn other targets cannot be compared",
    "train.target_weights": "a mapping is neither a number nor a choice",
    "warmup.l2": "a mapping is neither a number nor a choice",
    "finetune.unfreeze": "the features are computed up to there by featurize, and trials run training alone",
}
"""Keys of those blocks that cannot be searched, and why."""


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
    """Raise ValueError, naming the key, when a key is none that trials can vary, or a value is not allowed for it."""
    for key, values in space.items():
        block, _, name = key.partition(".")
        model = getattr(params, block, None)
        if key in RENAMED:
            raise ValueError(f"tune.space.{key}: renamed, write {RENAMED[key]}")
        if not isinstance(model, BaseModel) or name not in type(model).model_fields:
            raise ValueError(f"tune.space.{key}: params.yaml has no such key")
        if block not in SEARCHED_BLOCKS:
            raise ValueError(
                f"tune.space.{key}: trials train on the features and labels that are there and do not read it; "
                f"expected a key of {', '.join(SEARCHED_BLOCKS)}; try this one with dvc exp run -S {key}="
            )
        if key in FIXED:
            raise ValueError(f"tune.space.{key}: {FIXED[key]}; remove it from the space")
        for called, value in values.named_values.items():
            _check_value(model, name, value, f"tune.space.{key}: {called}")


def without_effect(params: BaseModel, space: Mapping[str, Range]) -> dict[str, str]:
    """The keys of the space that change no training under the other settings, each with the setting that is to blame.

    For example {"train.margin": "train.loss: focal"}. What governs a key may itself be searched: the key has no effect
    when none of the choices reads it.
    """
    inert = {}
    for key in space:
        block, _, name = key.partition(".")
        model = getattr(params, block)
        for ignored in type(model).model_fields[name].metadata:
            if isinstance(ignored, IgnoredWith):
                governing = f"{block}.{ignored.key}"
                searched = space.get(governing)
                if searched is not None and not searched.choices:
                    continue  # a range of numbers holds some that read it
                values = searched.choices if searched is not None else (getattr(model, ignored.key),)
                if set(values) <= set(ignored.values):
                    inert[key] = f"{governing}: {', '.join(map(str, values))}"
    return inert


def check_together(params: Any, space: Mapping[str, Range]) -> None:
    """Raise ValueError, naming the keys, when values of the space are allowed alone but not beside the other settings,
    or not with each other."""
    settings = [[(key, value) for value in values.named_values.values()] for key, values in space.items()]
    together: list[tuple[tuple[str, Value], ...]] = [(one,) for of_key in settings for one in of_key]
    together += [pair for first, second in combinations(settings, 2) for pair in product(first, second)]
    for chosen in together:
        try:
            set_values(params, dict(chosen))
        except ValidationError as error:
            named = " and ".join(f"{key}: {value}" for key, value in chosen)
            raise ValueError(f"tune.space cannot have {named}: {error.errors()[0]['ctx']['error']}") from None


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
