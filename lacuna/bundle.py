"""A model bundle: one folder with everything a prediction needs, and nothing of what made it.

    bundle.json   targets, calibration, decision rules, input, origin, metrics, and the SHA-256 of the other files
    model.xml, model.bin   the network for OpenVINO
    model.onnx    the network for ONNX Runtime
    head.npy      weights of its head, for heat maps; not there when the head has a hidden layer
    validation.npz, test.npz   what the network said of these parts; no prediction needs them, an ensemble does

An ensemble has several networks, each in a folder of its own: 1/model.xml, 2/model.xml, ...

The hashes catch damaged and mixed-up files. They protect from no one who can write to the folder: take bundles from
people you trust.
"""

import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from lacuna.calibration import Calibration
from lacuna.errors import LacunaError
from lacuna.files import sha256, write_json
from lacuna.images import Resize
from lacuna.predictions import Predictions
from lacuna.runtimes import HEAD_FILE, MODEL_FILES, Runtime
from lacuna.targets import Targets

DESCRIPTION = "bundle.json"
FORMAT_VERSION = 3
MAX_DESCRIPTION_BYTES = 20_000_000
MAX_MODEL_BYTES = 2_000_000_000
MAX_IMAGE_SIZE = 1024
PREDICTIONS = {"validation": "validation.npz", "test": "test.npz"}


@dataclass(frozen=True)
class Input:
    """What a network takes: images of `image_size` pixels a side, brought to it by `resize`."""

    image_size: int
    resize: Resize
    max_pixels: int


@dataclass(frozen=True)
class Member:
    """One network of a bundle. `folder` is where its files lie, below the bundle's; "" is the bundle's own.

    `linear` says that its head is, and that HEAD_FILE holds the weights.
    """

    backbone: str
    input: Input
    folder: str = ""
    linear: bool = False

    def files(self, *runtimes: Runtime) -> list[str]:
        """The names of its files for these runtimes."""
        names = [name for runtime in runtimes for name in MODEL_FILES[runtime]]
        return [*names, HEAD_FILE] if self.linear else names


@dataclass(frozen=True)
class Bundle:
    """What a prediction must know of a model.

    With several members it is an ensemble: the calibration is of the mean of their probabilities. `training_counts` has
    each target's known training labels by class, what the trivial baselines are made of.
    """

    targets: Targets
    calibration: Calibration
    members: tuple[Member, ...]
    training_counts: Mapping[str, list[int]]


def write_bundle(
    folder: Path,
    bundle: Bundle,
    *,
    exported: Sequence[Path],
    predictions: Mapping[str, Path],
    origin: Mapping[str, object],
    metrics: Mapping[str, object],
) -> None:
    """Write a bundle into an existing folder.

    `exported` are the folders with each member's network for both runtimes, `predictions` the file of each part of
    PREDICTIONS. `origin` (hashes of data and parameters, versions of the libraries) and `metrics` are for the reader's
    eyes. The same content gives the same bytes.
    """
    bundle.calibration.fits(bundle.targets)  # raises LacunaError when they don't belong together
    networks = []
    for member, source in zip(bundle.members, exported, strict=True):
        place = folder / member.folder
        place.mkdir(exist_ok=True)
        for name in member.files(*MODEL_FILES):
            shutil.copyfile(source / name, place / name)
        networks.append({**asdict(member), "files": _hashes(place, member.files(*MODEL_FILES))})
    for part, name in PREDICTIONS.items():
        shutil.copyfile(predictions[part], folder / name)
    content = {
        "format_version": FORMAT_VERSION,
        "networks": networks,
        "targets": bundle.targets.to_json(),
        "calibration": bundle.calibration.to_json(),
        "training_counts": bundle.training_counts,
        "predictions": _hashes(folder, PREDICTIONS.values()),
        "origin": origin,
        "metrics": metrics,
    }
    write_json(folder / "bundle.json", content)


def _hashes(folder: Path, names: Iterable[str]) -> dict[str, str]:
    return {name: sha256(folder / name) for name in names}


def read_bundle(folder: Path, runtime: Runtime) -> Bundle:
    """Read a bundle and check that it is whole as far as `runtime` needs it.

    Raises LacunaError when it is missing, damaged, or of another format version.
    """
    content = read_description(folder)
    try:
        members = tuple(
            Member(network["backbone"], Input(**network["input"]), network["folder"], network["linear"])
            for network in content["networks"]
        )
        bundle = Bundle(
            Targets.from_json(content["targets"]),
            Calibration.from_json(content["calibration"]),
            members,
            {name: list(counts) for name, counts in content["training_counts"].items()},
        )
        bundle.calibration.fits(bundle.targets)
        hashes = {
            Path(member.folder, name): network["files"][name]
            for member, network in zip(members, content["networks"], strict=True)
            for name in member.files(runtime)
        }
    except (KeyError, TypeError, ValueError, AttributeError, LacunaError) as error:
        raise LacunaError(f"{folder / 'bundle.json'}: damaged, {type(error).__name__}: {error}; {_MEND}") from None
    if not members or not all(map(_is_possible, members)):
        raise LacunaError(f"{folder / 'bundle.json'}: damaged, impossible networks or input; {_MEND}")
    for path, expected in hashes.items():
        _check_file(folder / path, expected)
    return bundle


def bundle_files(folder: Path) -> dict[str, str]:
    """The files that belong to a bundle besides bundle.json, by their path in it, with the SHA-256 each must have.

    Reads bundle.json alone. Raises LacunaError when it is missing or damaged, or names a file outside of the bundle.
    """
    content = read_description(folder)
    try:
        groups = [(network["folder"], network["files"]) for network in content["networks"]]
        groups.append(("", content["predictions"]))
        files = {
            f"{place}/{name}" if place else name: digest for place, hashes in groups for name, digest in hashes.items()
        }
        possible = all(map(is_path_inside, files)) and all(isinstance(digest, str) for digest in files.values())
    except (KeyError, TypeError, AttributeError) as error:
        raise LacunaError(f"{folder / 'bundle.json'}: damaged, {type(error).__name__}: {error}; {_MEND}") from None
    if not possible:
        raise LacunaError(f"{folder / 'bundle.json'}: damaged, impossible names or hashes of files; {_MEND}")
    return files


def is_path_inside(path: str) -> bool:
    """Whether `path` can be a file's path in a bundle: plain names, in the bundle's folder or in that of a member."""
    return re.fullmatch(r"(\d+/)?\w[\w-]*(\.[\w-]+)*", path, re.ASCII) is not None


def check_bundle(folder: Path) -> dict[str, str]:
    """Check that a bundle is whole, for every runtime and every other use; return its `bundle_files`.

    Raises LacunaError as `read_bundle` does.
    """
    for runtime in MODEL_FILES:
        read_bundle(folder, runtime)
    files = bundle_files(folder)
    for name, expected in files.items():
        _check_file(folder / name, expected)
    return files


def read_predictions(folder: Path) -> dict[str, Predictions]:
    """What the model said of the validation and the test part, by part. Raises LacunaError as `read_bundle` does."""
    hashes = read_description(folder).get("predictions")
    for name in PREDICTIONS.values():
        _check_file(folder / name, hashes.get(name) if isinstance(hashes, dict) else None)
    return {part: Predictions.load(folder / name) for part, name in PREDICTIONS.items()}


def _is_possible(member: Member) -> bool:
    wanted = member.input
    return (
        type(wanted.image_size) is int
        and 0 < wanted.image_size <= MAX_IMAGE_SIZE
        and type(wanted.max_pixels) is int
        and wanted.max_pixels > 0
        and wanted.resize in get_args(Resize)
        and isinstance(member.folder, str)
        and (not member.folder or member.folder.isdecimal())  # nothing outside of the bundle
        and type(member.linear) is bool
    )


_MEND = "run `dvc repro bundle`, or copy the whole folder again"


def read_description(folder: Path) -> dict[str, Any]:
    """The content of bundle.json. Raises LacunaError when it is missing, no JSON object or of another format."""
    path = folder / "bundle.json"
    if not path.is_file():
        raise LacunaError(f"{path}: no such file; make the bundle by `dvc repro`, or name its folder with --bundle")
    if path.stat().st_size > MAX_DESCRIPTION_BYTES:
        raise LacunaError(f"{path}: expected at most {MAX_DESCRIPTION_BYTES} bytes, received {path.stat().st_size}")
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise LacunaError(f"{path}: damaged, not valid JSON; {_MEND}") from None
    if not isinstance(content, dict) or "format_version" not in content:
        raise LacunaError(f"{path}: damaged, no format_version; {_MEND}")
    if content["format_version"] != FORMAT_VERSION:
        raise LacunaError(
            f"{path}: bundle of format {content['format_version']}, this Lacuna reads {FORMAT_VERSION}; "
            "make it again with this version, or use the version it was made with"
        )
    return content


def _check_file(path: Path, expected: object) -> None:
    if not path.is_file():
        raise LacunaError(f"{path}: no such file; {_MEND}")
    if path.stat().st_size > MAX_MODEL_BYTES:
        raise LacunaError(f"{path}: expected at most {MAX_MODEL_BYTES} bytes, received {path.stat().st_size}")
    if sha256(path) != expected:
        raise LacunaError(f"{path}: not the file that bundle.json was written for (SHA-256 differs); {_MEND}")
