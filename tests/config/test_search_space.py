"""Which keys `tune.space` takes, and which of them change a training under the other settings."""

from typing import Any, Literal, get_args, get_origin

import pytest

from lacuna.config.load import parse_params
from lacuna.config.params import Params
from lacuna.config.search_space import FIXED, SEARCHED_BLOCKS, check_together, without_effect
from lacuna.config.types import IgnoredWith
from lacuna.errors import LacunaError
from tests.tiny_project import params_content

KEYS = [(block, key) for block, keys in Params.model_fields.items() for key in keys.annotation.model_fields]


def space_of(block: str, key: str) -> dict[str, Any]:
    """Two values that the parameter may have; a range of numbers where it takes neither numbers nor choices."""
    annotation = Params.model_fields[block].annotation.model_fields[key].annotation
    if annotation is bool:
        return {"choices": [True, False]}
    if get_origin(annotation) is Literal:
        return {"choices": list(get_args(annotation)[:2])}
    return {"low": 1, "high": 2} if annotation is int else {"low": 0.25, "high": 0.5}


def with_space(space: dict[str, Any], changes: dict[str, Any] | None = None) -> Params:
    content = params_content()
    content["warmup"]["solver"] = "sgd"  # which any loss and head go with
    for changed, value in (changes or {}).items():
        block, key = changed.split(".")
        content[block][key] = value
    content["tune"]["space"] = space
    return parse_params(content)


@pytest.mark.parametrize(("block", "key"), KEYS)
def test_a_space_takes_the_keys_that_trials_vary_and_no_other(block, key):
    name = f"{block}.{key}"
    space = {name: space_of(block, key)}
    if block in SEARCHED_BLOCKS and name not in FIXED:
        assert set(with_space(space).tune.space) == {name}
        return
    with pytest.raises(LacunaError, match=f"tune.space.{name}: ") as caught:
        with_space(space)
    said = str(caught.value)
    if block in SEARCHED_BLOCKS:
        assert f"{FIXED[name]}; remove it from the space" in said
    else:
        assert "expected a key of head, train, optimizer, warmup, finetune" in said
        assert said.endswith(f"dvc exp run -S {name}=")


def test_what_cannot_be_searched_exists():
    assert set(FIXED) <= {f"{block}.{key}" for block, key in KEYS}


def test_what_a_parameter_is_ignored_with_exists():
    for block, key in KEYS:
        fields = Params.model_fields[block].annotation.model_fields
        for mark in (mark for mark in fields[key].metadata if isinstance(mark, IgnoredWith)):
            governing = fields[mark.key].annotation
            words = set(mark.values) < set(get_args(governing))
            assert words or (governing is int and mark.values == (0,)), f"{block}.{key}"


MARGIN = {"train.margin": {"low": 0.0, "high": 0.1}}
WARM_UP = {"warmup.learning_rate": {"low": 1e-4, "high": 1e-2}}
RATE = {"finetune.learning_rate": {"low": 1e-4, "high": 1e-3}}


@pytest.mark.parametrize(
    ("space", "changes", "inert"),
    [
        (MARGIN, {"train.loss": "asymmetric"}, {}),
        (MARGIN, {"train.loss": "focal"}, {"train.margin": "train.loss: focal"}),
        (MARGIN | {"train.loss": {"choices": ["focal", "asymmetric"]}}, {"train.loss": "focal"}, {}),
        (
            MARGIN | {"train.loss": {"choices": ["focal", "cross_entropy"]}},
            {"train.loss": "asymmetric"},
            {"train.margin": "train.loss: focal, cross_entropy"},
        ),
        (WARM_UP, {"warmup.solver": "sgd"}, {}),
        (WARM_UP, {"warmup.solver": "exact"}, {"warmup.learning_rate": "warmup.solver: exact"}),
        (WARM_UP | {"warmup.solver": {"choices": ["exact", "sgd"]}}, {"warmup.solver": "exact"}, {}),
        (RATE, {"finetune.epochs": 1}, {}),
        (RATE, {"finetune.epochs": 0}, {"finetune.learning_rate": "finetune.epochs: 0"}),
        (RATE | {"finetune.epochs": {"low": 0, "high": 9}}, {"finetune.epochs": 0}, {}),
    ],
)
def test_keys_that_the_other_settings_leave_without_effect_are_known(space, changes, inert):
    params = with_space(space, changes)
    assert without_effect(params, params.tune.space) == inert


UNITS = {"head.hidden_units": {"low": 0, "high": 64}}
SOLVERS = {"warmup.solver": {"choices": ["exact", "sgd"]}}


@pytest.mark.parametrize(
    ("space", "solver", "message"),
    [
        (UNITS, "sgd", None),
        (UNITS, "exact", "tune.space cannot have head.hidden_units: 64: warmup.solver: exact solves a linear head"),
        (
            UNITS | SOLVERS,
            "sgd",
            "tune.space cannot have head.hidden_units: 64 and warmup.solver: exact: warmup.solver",
        ),
        ({"train.loss": {"choices": ["focal", "cross_entropy"]}}, "exact", "tune.space cannot have train.loss: focal"),
        (MARGIN | SOLVERS, "exact", None),
    ],
)
def test_values_that_do_not_go_together_are_named_before_any_training(space, solver, message):
    params = with_space(space, {"warmup.solver": solver})
    if message is None:
        check_together(params, params.tune.space)
    else:
        with pytest.raises(ValueError, match=message):
            check_together(params, params.tune.space)


def test_the_space_in_params_yaml_can_be_searched_and_holds_nothing_without_effect():
    params = parse_params(params_content())
    assert without_effect(params, params.tune.space) == {}
    check_together(params, params.tune.space)
