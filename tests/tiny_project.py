"""The repository's params.yaml, changed for a small project."""

import copy
import io
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from lacuna.config.load import parse_params
from lacuna.config.params import Params
from lacuna.errors import LacunaError

REPOSITORY = Path(__file__).parents[1]


def write_params(folder: Path, changes: Mapping[str, Any]) -> Params:
    """Write the repository's params.yaml with `changes`, by dotted key, into `folder`; return the parameters.

    The network sees the images as they are stored, unless `changes` say otherwise: at 224 pixels the tests' small
    images would take it many times as long.
    """
    return _write(folder, params_content(), {"features.sizes": [0], **changes})


def change_params(folder: Path, changes: Mapping[str, Any]) -> Params:
    """Make `changes`, by dotted key, in the params.yaml of `folder`; return the parameters."""
    return _write(folder, YAML(typ="safe", pure=True).load(folder / "params.yaml"), changes)


def params_content() -> dict[str, Any]:
    """What the repository's params.yaml holds, to be changed at will."""
    return copy.deepcopy(_content())


@cache
def _content() -> dict[str, Any]:  # read once: it takes longer than what most tests do with it
    content: dict[str, Any] = YAML(typ="safe", pure=True).load(REPOSITORY / "params.yaml")
    return content


def mistake(content: object) -> str:
    """The one line with which parameters are refused."""
    with pytest.raises(LacunaError) as caught:
        parse_params(content)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("params.yaml: ")
    return message


def _write(folder: Path, content: dict[str, Any], changes: Mapping[str, Any]) -> Params:
    for key, value in changes.items():
        *blocks, name = key.split(".")
        block = content
        for part in blocks:
            block = block[part]
        assert name in block, f"params.yaml has no {key}"
        block[name] = value
    (folder / "params.yaml").write_text(_as_yaml(json.dumps(content)), encoding="utf-8")
    return parse_params(content)


@cache
def _as_yaml(content: str) -> str:
    """JSON as YAML, once for all tests that make the same changes."""
    yaml, text = YAML(typ="safe", pure=True), io.StringIO()  # to keep the comments would take ten times as long
    yaml.default_flow_style = yaml.sort_base_mapping_type_on_output = False
    yaml.dump(json.loads(content), text)
    return text.getvalue()
