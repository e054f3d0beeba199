"""A model bundle: one folder with everything a prediction needs, and nothing of what made it.

    bundle.json                    targets, calibration, decision rules, input, origin, metrics, SHA-256 of other files
    model.xml, model.bin           the network for OpenVINO
    model.onnx                     the network for ONNX Runtime
    keras.weights.h5, keras.json   the network for Keras
    int8.xml, int8.bin             the network in 8-bit integers, if `export.int8` asked for it
    layout.json                    what the columns of its features are
    head.npz                       its head, for heat maps; absent when the head has a hidden layer
    out_of_distribution.npz        what the training images were like; optional
    README.md                      the model card, for people; an ensemble has none
    validation.npz, test.npz       logits and labels of these parts, for ensembles, drift and --min-precision
    images.npz                     digests of the images it learned from and is tested on; absent in an ensemble

An ensemble has several networks, each in a folder of its own: 1/model.xml, 2/model.xml, ...

The hashes find damaged and mixed-up files. They protect from no one who can write to the folder: take bundles from
people you trust.
"""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lacuna.calibration.model import Calibration
from lacuna.core.predictions import Predictions
from lacuna.core.targets import Targets
from lacuna.core.working_image import Resize
from lacuna.errors import LacunaError
from lacuna.inference.description import check_description, parse_json
from lacuna.inference.runtimes import HEAD_FILE, LAYOUT_FILE, RUNTIMES, find_runtime
from lacuna.inference.seen_images import SeenImages
from lacuna.io.atomic import sha256, write_json

DESCRIPTION_FILE = "bundle.json"
OOD_FILE = "out_of_distribution.npz"
CARD_FILE = "README.md"
IMAGES_FILE = "images.npz"
PREDICTION_FILES = {"validation": "validation.npz", "test": "test.npz"}

BUNDLE_FORMAT = 5
MAX_DESCRIPTION_BYTES = 20_000_000
MAX_MODEL_BYTES = 2_000_000_000

_MEND = "run `dvc repro bundle`, or copy the whole folder again"


@dataclass(frozen=True)
class Input:
    """What a network takes: images of `image_size` pixels a side, brought to it by `resize`, from files of at most
    `max_pixels` pixels."""

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
    """What a prediction needs to know about a model.

    With several members it is an ensemble, and the calibration is that of the mean of their probabilities.
    `training_counts` has each target's known training labels by class, from which trivial baselines follow.
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
    images: SeenImages | None = None,
) -> None:
    """Write a bundle into an existing folder. The same content gives the same bytes.

    `exported` are the folders of each member's exported network, `predictions` the file of each part in
    PREDICTION_FILES. `origin` (hashes of data and parameters, versions of the libraries) and `metrics` are for readers,
    no prediction needs them. `detector` is the file that stage out_of_distribution wrote, `card` the text of the model
    card, `images` what it learned from and is tested on. Raises LacunaError when calibration and targets do not belong
    together.
    """
    bundle.calibration.fits(bundle.targets)
    networks = []
    for member, source in zip(bundle.members, exported, strict=True):
        place = folder / member.folder
        place.mkdir(exist_ok=True)
        for name in member.files:
            shutil.copyfile(source / name, place / name)
        networks.append({**asdict(member), "files": _hashes(place, member.files)})
    for part, name in PREDICTION_FILES.items():
        shutil.copyfile(predictions[part], folder / name)
    if detector is not None:
        shutil.copyfile(detector, folder / OOD_FILE)
    if card:
        (folder / CARD_FILE).write_text(card, encoding="utf-8")
    if images is not None:
        images.save(folder / IMAGES_FILE)
    content = {
        "format_version": BUNDLE_FORMAT,
        "networks": networks,
        "targets": bundle.targets.to_json(),
        "calibration": bundle.calibration.to_json(),
        "training_counts": bundle.training_counts,
        "predictions": _hashes(folder, PREDICTION_FILES.values()),
        "out_of_distribution": _hashes(folder, [OOD_FILE] if detector else []),
        "card": _hashes(folder, [CARD_FILE] if card else []),
        "images": _hashes(folder, [IMAGES_FILE] if images else []),
        "origin": origin,
        "metrics": metrics,
    }
    write_json(folder / DESCRIPTION_FILE, content)


def read_bundle(folder: Path, runtime: str) -> Bundle:
    """Read a bundle and check that everything `runtime` needs is whole.

    Raises LacunaError when it is missing, damaged or of another format, or holds nothing for `runtime`.
    """
    files = find_runtime(runtime).files
    content = read_description(folder)
    members = tuple(
        Member(network["backbone"], Input(**network["input"]), tuple(network["files"]), network["folder"])
        for network in content["networks"]
    )
    try:
        targets, calibration = Targets.from_json(content["targets"]), Calibration.from_json(content["calibration"])
        calibration.fits(targets)
        _check_counts(targets, content["training_counts"])
    except (ValueError, LacunaError) as error:
        raise _damaged(folder, str(error)) from None
    bundle = Bundle(targets, calibration, members, content["training_counts"])
    if lacking := [member for member in members if LAYOUT_FILE not in member.files]:
        raise _damaged(folder, f"the network {lacking[0].folder or lacking[0].backbone} has no {LAYOUT_FILE}")
    if lacking := [member for member in members if not set(files) <= set(member.files)]:
        advice = f"; {RUNTIMES[runtime].advice}" if RUNTIMES[runtime].advice else ""
        raise LacunaError(f"{folder / lacking[0].folder}: this bundle holds no network for {runtime}{advice}")
    hashes = bundle_files(folder)
    for member in members:
        for name in (*files, LAYOUT_FILE, HEAD_FILE):
            if name in member.files:
                path = Path(member.folder, name).as_posix()
                _check_file(folder / path, hashes[path])
    if OOD_FILE in hashes:
        _check_file(folder / OOD_FILE, hashes[OOD_FILE])
    return bundle


def bundle_files(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file of a bundle but bundle.json, by its path below `folder`, as bundle.json states it.

    Raises LacunaError as `read_description` does, and for a path that no bundle has.
    """
    content = read_description(folder)
    hashes: dict[str, str] = {
        Path(network["folder"], name).as_posix(): expected
        for network in content["networks"]
        for name, expected in network["files"].items()
    }
    hashes |= content["predictions"] | content["out_of_distribution"] | content["card"] | content.get("images", {})
    for path in hashes:
        if not is_bundle_path(path):
            raise _damaged(folder, f"names a file {path!r}")
    return hashes


def is_bundle_path(path: str) -> bool:
    """Whether a bundle may hold a file at `path`: a known name, in the bundle's folder or in that of a member."""
    parent, _, name = path.rpartition("/")
    networks = {file for runtime in RUNTIMES.values() for file in runtime.files}
    known = {DESCRIPTION_FILE, LAYOUT_FILE, HEAD_FILE, OOD_FILE, CARD_FILE, IMAGES_FILE, *networks}
    known |= set(PREDICTION_FILES.values())
    return name in known and (path == name or (parent.isascii() and parent.isdecimal()))


def check_files(folder: Path) -> dict[str, str]:
    """Check that every file of a bundle is whole, those that no prediction needs too; return its `bundle_files`.

    Raises LacunaError as `read_bundle` does.
    """
    read_bundle(folder, "openvino")
    files = bundle_files(folder)
    for path, expected in files.items():
        _check_file(folder / path, expected)
    return files


def read_predictions(folder: Path) -> dict[str, Predictions]:
    """The model's logits for validation and test, with the labels, by part. Raises LacunaError as `read_bundle`
    does."""
    content = read_description(folder)
    for name in PREDICTION_FILES.values():
        _check_file(folder / name, content["predictions"].get(name))
    found = {part: Predictions.load(folder / name) for part, name in PREDICTION_FILES.items()}
    targets = Targets.from_json(content["targets"])
    for part, predictions in found.items():
        _check_predictions(folder / PREDICTION_FILES[part], predictions, targets)
    return found


def read_seen_images(folder: Path) -> SeenImages:
    """Which images the model learned from and is tested on. Raises LacunaError as `read_bundle` does, and for a bundle
    that does not tell."""
    hashes = bundle_files(folder)
    if IMAGES_FILE not in hashes:
        raise LacunaError(f"{folder}: does not tell which images it learned from, as an ensemble does not")
    _check_file(folder / IMAGES_FILE, hashes[IMAGES_FILE])
    return SeenImages.load(folder / IMAGES_FILE)


def read_description(folder: Path) -> dict[str, Any]:
    """The content of bundle.json. Raises LacunaError when it is missing or damaged, of another format, or holds a value
    that cannot be."""
    path = folder / DESCRIPTION_FILE
    if not path.is_file():
        raise LacunaError(f"{path}: no such file; make the bundle by `dvc repro`, or name its folder with --bundle")
    if path.stat().st_size > MAX_DESCRIPTION_BYTES:
        raise LacunaError(f"{path}: expected at most {MAX_DESCRIPTION_BYTES} bytes, received {path.stat().st_size}")
    try:
        content: Any = parse_json(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise _damaged(folder, f"not valid JSON: {str(error)[:200]}") from None
    if not isinstance(content, dict) or "format_version" not in content:
        raise _damaged(folder, "no format_version")
    if content["format_version"] != BUNDLE_FORMAT:
        raise LacunaError(
            f"{path}: bundle of format {str(content['format_version'])[:20]}, this Lacuna reads {BUNDLE_FORMAT}; "
            "make it again by `dvc repro bundle` in its project, or use the version of Lacuna that made it"
        )
    try:
        check_description(content)
    except ValueError as error:
        raise _damaged(folder, str(error)) from None
    return content


def _hashes(folder: Path, names: Iterable[str]) -> dict[str, str]:
    return {name: sha256(folder / name) for name in names}


def _check_counts(targets: Targets, counts: Mapping[str, list[int]]) -> None:
    wanted = {target.name: target.n_classes for target in targets}
    if {name: len(of_target) for name, of_target in counts.items()} != wanted:
        raise ValueError("training_counts: expected a count for each class of each target")


def _check_predictions(path: Path, predictions: Predictions, targets: Targets) -> None:
    logits, labels = predictions.logits, predictions.labels
    arrays = (logits, labels, predictions.image, predictions.group)
    kinds = [array.dtype.kind + str(array.ndim) for array in arrays] == ["f2", "i2", "U1", "i1"]
    shapes = kinds and (logits.shape[1], labels.shape[1]) == (targets.n_logits, len(targets))
    if not shapes or (labels >= [target.n_classes for target in targets]).any():
        raise LacunaError(f"{path}: not the predictions of these targets; {_MEND}")


def _damaged(folder: Path, what: str) -> LacunaError:
    return LacunaError(f"{folder / DESCRIPTION_FILE}: damaged, {what}; {_MEND}")


def _check_file(path: Path, expected: object) -> None:
    if not path.is_file():
        raise LacunaError(f"{path}: no such file; {_MEND}")
    if path.stat().st_size > MAX_MODEL_BYTES:
        raise LacunaError(f"{path}: expected at most {MAX_MODEL_BYTES} bytes, received {path.stat().st_size}")
    if sha256(path) != expected:
        raise LacunaError(f"{path}: not the file that {DESCRIPTION_FILE} was written for (SHA-256 differs); {_MEND}")
