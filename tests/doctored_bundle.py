"""Bundles that someone has changed so that every hash fits again."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.io.atomic import load_arrays, save_arrays, sha256, write_json

Arrays = dict[str, NDArray[Any]]


def doctor_description(original: Path, folder: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """A copy of a bundle in `folder` whose bundle.json was changed, in which NaN is written as Python does."""
    shutil.copytree(original, folder)
    content = json.loads((folder / "bundle.json").read_text())
    change(content)
    (folder / "bundle.json").write_text(json.dumps(content))
    return folder


def doctor_arrays(original: Path, folder: Path, name: str, change: Callable[[Arrays], Mapping[str, Any]]) -> Path:
    """A copy of a bundle in `folder` in one of whose `.npz` files arrays were replaced by those that `change` gives."""
    shutil.copytree(original, folder)
    arrays = load_arrays(folder / name, 10**9)
    changed = {key: np.asarray(value) for key, value in change(arrays).items()}
    save_arrays(folder / name, arrays | changed)
    return _with_hash(folder, name)


def doctor_layout(original: Path, folder: Path, change: Callable[[list[dict[str, Any]]], Any]) -> Path:
    """The same of layout.json."""
    shutil.copytree(original, folder)
    content = json.loads((folder / "layout.json").read_text())
    change(content)
    write_json(folder / "layout.json", content)
    return _with_hash(folder, "layout.json")


def _with_hash(folder: Path, name: str) -> Path:
    content = json.loads((folder / "bundle.json").read_text())
    for hashes in (content["networks"][0]["files"], content["predictions"], content["out_of_distribution"]):
        if name in hashes:
            hashes[name] = sha256(folder / name)
    write_json(folder / "bundle.json", content)
    return folder
