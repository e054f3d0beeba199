"""A model bundle: one folder with everything a prediction needs, and nothing of what made it.

    bundle.json   targets, calibration, decision rules, input, origin, metrics, and the SHA-256 of the other files
    model.xml, model.bin   the network for OpenVINO
    model.onnx    the network for ONNX Runtime
    head.npy      weights of its head, for heat maps; not there when the head has a hidden layer
    keras.weights.h5, keras.json   the network for Keras
    int8.xml, int8.bin   the network of 8-bit integers, if `export.int8` asked for it
    detector.npz   what the training images were like; not there in bundles of before
    README.md     the model card, for people; not there in ensembles
    validation.npz, test.npz   what the network said of these parts; no prediction needs them, an ensemble does

An ensemble has several networks, each in a folder of its own: 1/model.xml, 2/model.xml, ...

The hashes catch damaged and mixed-up files. They protect from no one who can write to the folder: take bundles from
people you trust.
"""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from lacuna.calibration.model import Calibration
from lacuna.core.predictions import Predictions
from lacuna.core.targets import Targets
from lacuna.core.working_image import Resize
from lacuna.errors import LacunaError
from lacuna.inference.load import HEAD_FILE, MODEL_FILES, Runtime
from lacuna.io.atomic import sha256, write_json

DESCRIPTION = "bundle.json"
FORMAT_VERSION = 4
MAX_DESCRIPTION_BYTES = 20_000_000
MAX_MODEL_BYTES = 2_000_000_000
MAX_IMAGE_SIZE = 1024
OOD_FILE = "out_of_distribution.npz"
PREDICTIONS = {"validation": "validation.npz", "test": "test.npz"}
CARD_FILE = "README.md"


@dataclass(frozen=True)
class Input:
    """What a network takes: images of `image_size` pixels a side, brought to it by `resize`."""

    image_size: int
    resize: Resize
    max_pixels: int


@dataclass(frozen=True)
class Member:
    """One network of a bundle: its files, and where they lie below the bundle's folder; "" is the bundle's own."""

    backbone: str
    input: Input
    files: tuple[str, ...]
    folder: str = ""


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
    detector: Path | None = None,
    card: str = "",
) -> None:
    """Write a bundle into an existing folder.

    `exported` are the folders with each member's network for both runtimes, `predictions` the file of each part of
    PREDICTIONS. `origin` (hashes of data and parameters, versions of the libraries) and `metrics` are for the reader's
    eyes, `detector` is the file that stage out_of_distribution wrote, `card` the text of the model card, if there is
    one. The same content gives the same bytes.
    """
    bundle.calibration.fits(bundle.targets)  # raises LacunaError when they don't belong together
    networks = []
    for member, source in zip(bundle.members, exported, strict=True):
        place = folder / member.folder
        place.mkdir(exist_ok=True)
        for name in member.files:
            shutil.copyfile(source / name, place / name)
        networks.append({**asdict(member), "files": _hashes(place, member.files)})
    for part, name in PREDICTIONS.items():
        shutil.copyfile(predictions[part], folder / name)
    if detector is not None:
        shutil.copyfile(detector, folder / OOD_FILE)
    if card:
        (folder / CARD_FILE).write_text(card, encoding="utf-8")
    content = {
        "format_version": FORMAT_VERSION,
        "networks": networks,
        "targets": bundle.targets.to_json(),
        "calibration": bundle.calibration.to_json(),
        "training_counts": bundle.training_counts,
        "predictions": _hashes(folder, PREDICTIONS.values()),
        "out_of_distribution": _hashes(folder, [OOD_FILE] if detector else []),
        "card": _hashes(folder, [CARD_FILE] if card else []),
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
            Member(network["backbone"], Input(**network["input"]), tuple(network["files"]), network["folder"])
            for network in content["networks"]
        )
        bundle = Bundle(
            Targets.from_json(content["targets"]),
            Calibration.from_json(content["calibration"]),
            members,
            {name: list(counts) for name, counts in content["training_counts"].items()},
        )
        bundle.calibration.fits(bundle.targets)
    except (KeyError, TypeError, ValueError, AttributeError, LacunaError) as error:
        raise LacunaError(f"{folder / 'bundle.json'}: damaged, {type(error).__name__}: {error}; {_MEND}") from None
    if not members or not all(map(_is_possible, members)):
        raise LacunaError(f"{folder / 'bundle.json'}: damaged, impossible networks or input; {_MEND}")
    if lacking := [member for member in members if not set(MODEL_FILES[runtime]) <= set(member.files)]:
        advice = "; set export.int8 in params.yaml and run `dvc repro bundle`" if runtime == "openvino-int8" else ""
        raise LacunaError(f"{folder / lacking[0].folder}: this bundle holds no network for {runtime}{advice}")
    hashes = bundle_files(folder)
    for member in members:
        for name in (*MODEL_FILES[runtime], HEAD_FILE):
            if name in member.files:
                path = Path(member.folder, name).as_posix()
                _check_file(folder / path, hashes[path])
    if OOD_FILE in hashes:
        _check_file(folder / OOD_FILE, hashes[OOD_FILE])
    return bundle


def bundle_files(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file of a bundle but bundle.json, by its path below `folder`, as bundle.json states it.

    Raises LacunaError as `read_description` does, and for a file that no bundle has.
    """
    content = read_description(folder)
    try:
        hashes = {
            Path(network["folder"], name).as_posix(): expected
            for network in content["networks"]
            for name, expected in network["files"].items()
        }
        hashes |= content["predictions"] | content.get("out_of_distribution", {}) | content.get("card", {})
    except (KeyError, TypeError, AttributeError) as error:
        raise LacunaError(f"{folder / 'bundle.json'}: damaged, {type(error).__name__}: {error}; {_MEND}") from None
    for path in hashes:
        if not is_of_a_bundle(path):
            raise LacunaError(f"{folder / 'bundle.json'}: damaged, names a file {path!r}; {_MEND}")
    return hashes


def is_of_a_bundle(path: str) -> bool:
    """Whether `path` can be a file's path in a bundle: a known name, in the bundle's folder or in that of a member."""
    parent, _, name = path.rpartition("/")
    networks = {name for names in MODEL_FILES.values() for name in names}
    known = {DESCRIPTION, HEAD_FILE, OOD_FILE, CARD_FILE, *PREDICTIONS.values(), *networks}
    return name in known and (path == name or (parent.isascii() and parent.isdecimal()))


def check_files(folder: Path) -> dict[str, str]:
    """Check that a bundle is whole, what no prediction needs as well; return its `bundle_files`.

    Raises LacunaError as `read_bundle` does.
    """
    read_bundle(folder, "openvino")
    files = bundle_files(folder)
    for path, expected in files.items():
        _check_file(folder / path, expected)
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
