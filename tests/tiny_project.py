"""The repository's params.yaml, changed for a small project."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from lacuna.config.load import load_params
from lacuna.config.params import Params

REPOSITORY = Path(__file__).parents[1]


def write_params(folder: Path, changes: Mapping[str, Any]) -> Params:
    """Write the repository's params.yaml with `changes`, by dotted key, into `folder`; return the parameters."""
    shutil.copy(REPOSITORY / "params.yaml", folder)
    return change_params(folder, changes)


def change_params(folder: Path, changes: Mapping[str, Any]) -> Params:
    """Make `changes`, by dotted key, in the params.yaml of `folder`; return the parameters."""
    yaml = YAML()
    content = yaml.load(folder / "params.yaml")
    for key, value in changes.items():
        *blocks, name = key.split(".")
        block = content
        for part in blocks:
            block = block[part]
        assert name in block, f"params.yaml has no {key}"
        block[name] = value
    yaml.dump(content, folder / "params.yaml")
    return load_params(folder / "params.yaml")
