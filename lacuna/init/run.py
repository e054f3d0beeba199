"""`python -m lacuna init`: look, say what was found and why, ask what cannot be known, write params.yaml."""

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from lacuna.config.load import load_params
from lacuna.config.params import Params
from lacuna.config.presets import write_values
from lacuna.errors import LacunaError
from lacuna.init.from_names import propose_from_names
from lacuna.init.preview import describe_effort, preview
from lacuna.init.proposal import Proposal
from lacuna.init.propose import propose
from lacuna.io.names import shortened
from lacuna.io.plurals import number_of

MOST_LEFT_OUT = 50
"""Columns of which it is said one by one why they are no targets."""

OWN_DATA = {"corrections": "", "max_images": 0, "group_folders": 0, "name_pattern": ""}
"""What must not be left of the data set before."""


def write_data_block(
    folder: Path, label_files: Sequence[Path], changes: Sequence[str], params_file: Path, *, asks: bool
) -> None:
    """Write the block `data` that fits a folder of images into `params_file`.

    `changes`: KEY=VALUE that stand in for what is found. `asks`: whether a person is there to answer. Raises
    LacunaError with all that stands in the way; nothing is written then.
    """
    before = load_params(params_file)
    pattern = next((_pattern(change) for change in changes if "(?P<" in change), "")
    if set(re.compile(pattern).groupindex) - {"group"}:
        proposal = propose_from_names(folder, pattern, before.data)
    else:
        proposal = propose(folder, label_files, before.data)
    _say(proposal)
    values = {**OWN_DATA, **proposal.values}
    for change in changes:
        _change(values, change)
    for said, otherwise in proposal.doubts:
        key = otherwise.split("=")[0]
        if any(change.startswith(key) for change in changes):
            continue
        if asks and input(f"{said}. Is that right? [Y/n] ").strip().lower().startswith("n"):
            _change(values, otherwise)
        elif not asks:
            print(f"assumed: {said}. Otherwise: {_again(folder, label_files, otherwise)}")
    content = {
        "data": {key: _as_written(value) for key, value in values.items()},
        "calibrate": {"rules": {}},
        "train": {"targets": [], "target_weights": {}},
    }
    original = params_file.read_bytes()
    write_values(params_file, content)
    try:
        params: Params = load_params(params_file)
        print(f"\n{preview(params, proposal.images)}")
    except BaseException:
        params_file.write_bytes(original)
        raise
    print(f"\n{params_file}: the block data is written. {describe_effort(params, proposal.images)}")
    print("next: look at the counts above, then: dvc repro" + _tracking(params))


def _pattern(change: str) -> str:
    """The pattern of a change of `name_pattern`, "" for other ones and for what is no pattern."""
    key, _, pattern = change.partition("=")
    try:
        re.compile(pattern)
    except re.error:
        return ""
    return pattern if key in ("name_pattern", "data.name_pattern") else ""


def _say(proposal: Proposal) -> None:
    for sentence in proposal.why:
        print(f"found: {sentence}")
    for name, reason in proposal.left_out[:MOST_LEFT_OUT]:
        print(f"not a target: {shortened(name)}: {reason}")
    if (more := len(proposal.left_out) - MOST_LEFT_OUT) > 0:
        print(f"not a target: {number_of(more, 'more column')}")


def _tracking(params: Params) -> str:
    place = Path(params.data.path)
    if place.is_absolute():
        return ""
    return f"  (dvc add {shlex.quote(str(Path(*place.parts[:2])))} before, for versions of the data)"


def _again(folder: Path, label_files: Sequence[Path], change: str) -> str:
    labels = [part for path in label_files for part in ("--labels", str(path))]
    return shlex.join(["python", "-m", "lacuna", "init", str(folder), *labels, "--set", change])


def _change(values: dict[str, Any], change: str) -> None:
    """Set a value by its dotted key, with or without `data.` before."""
    key, equals, text = change.partition("=")
    *path, last = key.removeprefix("data.").split(".")
    try:
        value = YAML(typ="safe", pure=True).load(text) if text else ""
    except YAMLError:
        value = None
    if not equals or value is None:
        raise LacunaError(
            f"--set {change}: expected KEY=VALUE with a key of the block data, such as group_column=patient"
        )
    place = values
    for part in path:
        if not isinstance(place.get(part), dict):
            place[part] = {"kind": place[part]} if isinstance(place.get(part), str) else {}
        place = place[part]
    if path == ["targets"] and value == "":
        place.pop(last, None)
    else:
        place[last] = value


def _as_written(value: Any) -> Any:
    """Values as people write them in YAML: lists and what a target is in one line, "" for nothing."""
    if isinstance(value, list | tuple):
        listed = CommentedSeq([DoubleQuotedScalarString(word) for word in value])
        listed.fa.set_flow_style()
        return listed
    if isinstance(value, dict):
        mapped = CommentedMap({key: _as_written(inside) for key, inside in value.items()})
        if "kind" in value:
            mapped.fa.set_flow_style()
        return mapped
    return DoubleQuotedScalarString("") if value == "" else value


def is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
