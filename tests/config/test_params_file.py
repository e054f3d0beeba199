"""params.yaml explains itself: every block, every key, every choice, and every key that has another name now."""

import re
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from ruamel.yaml import YAML

from lacuna.config.data import Data
from lacuna.config.load import parse_params
from lacuna.config.params import Params
from lacuna.config.renamed import BECAME_LISTS, REMOVED, RENAMED
from lacuna.data.labels.sources import SOURCES
from lacuna.errors import LacunaError
from tests.tiny_project import params_content

PARAMS_FILE = Path(__file__).parents[2] / "params.yaml"


@cache
def commented() -> Any:
    """params.yaml with its comments."""
    return YAML().load(PARAMS_FILE)


KEYS = [(block, key) for block, values in params_content().items() for key in values]


@pytest.mark.parametrize("block", list(params_content()))
def test_every_block_is_documented_in_the_line_above(block):
    lines = PARAMS_FILE.read_text(encoding="utf-8").splitlines()
    assert lines[lines.index(f"{block}:") - 1].startswith("# ")


def test_every_key_is_documented_behind_its_value():
    for block, key in KEYS:
        comments = commented()[block].ca.items
        assert key in comments, f"{block}.{key} has no comment in params.yaml"
        assert re.match(r"# \w{2,}|# [\w\"]", comments[key][2].value), f"{block}.{key}"


def choices(block: str, key: str) -> tuple[object, ...]:
    """The words that a parameter may be; none for one that is no choice."""
    annotation = Params.model_fields[block].annotation.model_fields[key].annotation  # type: ignore[union-attr]
    return get_args(annotation) if get_origin(annotation) is Literal else ()


@pytest.mark.parametrize(("block", "key"), [place for place in KEYS if choices(*place)])
def test_the_file_names_every_choice_behind_the_value_or_above_the_block(block, key):
    text = PARAMS_FILE.read_text(encoding="utf-8")
    above = text[: text.index(f"\n{block}:\n")].rpartition("\n\n")[2]
    behind = commented()[block].ca.items[key][2].value.split("\n")[0]
    named = set(re.findall(r"\w+", above + behind))
    assert [choice for choice in choices(block, key) if choice not in named] == []


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_a_key_by_its_old_name_is_answered_with_the_new_one_alone(old, new):
    changed = params_content()
    before, after = (changed[key.partition(".")[0]] if "." in key else changed for key in (old, new))
    value = after.pop(new.rpartition(".")[2])
    if old in BECAME_LISTS:
        (value,) = value
    before[old.rpartition(".")[2]] = value
    with pytest.raises(LacunaError) as caught:
        parse_params(changed)
    written = f"{new}: [{value}]" if old in BECAME_LISTS else new
    assert str(caught.value) == f"params.yaml: {old}: renamed, write {written}"


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_what_was_renamed_exists_by_its_new_name_only(old, new):
    keys = {*params_content(), *(f"{block}.{key}" for block, key in KEYS)}
    assert new in keys
    assert old not in keys


@pytest.mark.parametrize(("key", "why"), REMOVED.items())
def test_a_key_that_is_gone_is_answered_with_the_reason(key, why):
    changed = params_content()
    block, _, name = key.partition(".")
    changed[block][name] = 32
    with pytest.raises(LacunaError) as caught:
        parse_params(changed)
    assert str(caught.value) == f"params.yaml: {key}: no parameter any more, remove it ({why})"


def test_every_label_source_can_be_read_and_is_documented(repository):
    assert set(SOURCES) == set(get_args(Data.model_fields["source"].annotation))
    page = (repository / "docs/sources.md").read_text(encoding="utf-8")
    assert [name for name in SOURCES if f"\n## `{name}`: " not in page] == []
