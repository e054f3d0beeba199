"""A user's names as MLflow's: taken by MLflow itself, readable, and never the same for two different ones."""

import posixpath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric, _validate_param, _validate_tag

from lacuna.tracking.names import MAX_NAME, MAX_PARAM, mlflow_name, mlflow_value

ORDINARY = [
    "validation/macro.f1",
    "seconds/train_warmup",
    "größe",
    "and/or",
    "a b",
    "data.targets.blue-ish",
    ".a",
    "a_b",
]

REFUSED = [
    "w/",
    "/w",
    "http://x",
    "../up",
    "..",
    ".",
    "",
    "a//b",
    "a/./b",
    "a(b",
    "a)b",
    "a\nb",
    "c++",
    "c--(",
    "a:b",
    "%41",
]


@pytest.mark.parametrize("name", ORDINARY)
def test_a_name_that_mlflow_takes_stays_as_it_is(name: str) -> None:
    assert mlflow_name(name) == name


@settings(max_examples=60)
@given(st.one_of(st.text(max_size=300), st.text("./w -", max_size=300), st.sampled_from(REFUSED)))
def test_mlflow_takes_every_name_and_changes_it_no_further(text: str) -> None:
    name = mlflow_name(text)
    _validate_metric(name, 1.0, 0, 0)
    _validate_param(name, "value")
    _validate_tag(name, "value")
    assert posixpath.normpath(name) == name
    assert len(name) <= MAX_NAME
    assert mlflow_name(name) != name or name == text  # no text is called what another one was renamed to


def test_different_names_stay_different() -> None:
    long = ["x" * 251, "x" * 252, "x" * 250 + "y", "x" * 250]
    texts = [*ORDINARY, *REFUSED, *long]
    texts += [mlflow_name(text) for text in texts if mlflow_name(text) != text]
    assert len({mlflow_name(text) for text in texts}) == len(texts)


def test_a_name_can_be_recognised() -> None:
    assert mlflow_name("audit/targets.kind.skipped_classes.w/").startswith("audit/targets.kind.skipped_classes.w/_-")
    assert mlflow_name("x" * 300).startswith("x" * 237 + "-")


def test_a_long_value_is_cut_and_says_how_long_it_was() -> None:
    assert mlflow_value("x" * MAX_PARAM, MAX_PARAM) == "x" * MAX_PARAM
    cut = mlflow_value("x" * 7000, MAX_PARAM)
    assert len(cut) == MAX_PARAM
    assert cut.endswith("x… (7000 characters)")
    assert mlflow_value(0.5, MAX_PARAM) == "0.5"
