"""A model bundle: one folder with everything a prediction needs, and nothing of what made it.

    bundle.json   targets, calibration, decision rules, input, origin, metrics, and the SHA-256 of the other files
    model.xml, model.bin   the network for OpenVINO
    model.onnx    the network for ONNX Runtime

The hashes catch damaged and mixed-up files. They protect from no one who can write to the folder: take bundles from
people you trust.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from lacuna.calibration import Calibration
from lacuna.errors import LacunaError
from lacuna.files import sha256, write_json
from lacuna.images import Resize
from lacuna.runtimes import MODEL_FILES, Runtime
from lacuna.targets import Targets

FORMAT_VERSION = 1
MAX_DESCRIPTION_BYTES = 20_000_000
MAX_MODEL_BYTES = 2_000_000_000
MAX_IMAGE_SIZE = 1024


@dataclass(frozen=True)
class Bundle:
    """What a prediction must know of a model. `image_size` is the side in pixels that every image is brought to."""

    targets: Targets
    calibration: Calibration
    backbone: str
    image_size: int
    resize: Resize
    max_pixels: int


def write_bundle(
    folder: Path,
    bundle: Bundle,
    *,
    exported: Path,
    origin: Mapping[str, object],
    metrics: Mapping[str, object],
) -> None:
    """Write a bundle into an existing folder.

    `exported` is the folder with the network for both runtimes. `origin` (hashes of data and parameters, versions of
    the libraries) and `metrics` are for the reader's eyes. The same content gives the same bytes.
    """
    files = [name for names in MODEL_FILES.values() for name in names]
    for name in files:
        shutil.copyfile(exported / name, folder / name)
    bundle.calibration.fits(bundle.targets)  # raises LacunaError when they don't belong together
    content = {
        "format_version": FORMAT_VERSION,
        "backbone": bundle.backbone,
        "input": {"image_size": bundle.image_size, "resize": bundle.resize, "max_pixels": bundle.max_pixels},
        "targets": bundle.targets.to_json(),
        "calibration": bundle.calibration.to_json(),
        "files": {name: sha256(folder / name) for name in files},
        "origin": origin,
        "metrics": metrics,
    }
    write_json(folder / "bundle.json", content)


def read_bundle(folder: Path, runtime: Runtime) -> Bundle:
    """Read a bundle and check that it is whole as far as `runtime` needs it.

    Raises LacunaError when it is missing, damaged, or of another format version.
    """
    content = _read_description(folder / "bundle.json")
    try:
        bundle = Bundle(
            targets=Targets.from_json(content["targets"]),
            calibration=Calibration.from_json(content["calibration"]),
            backbone=content["backbone"],
            **content["input"],
        )
        bundle.calibration.fits(bundle.targets)
        hashes = {name: content["files"][name] for name in MODEL_FILES[runtime]}
    except (KeyError, TypeError, ValueError, AttributeError, LacunaError) as error:
        raise LacunaError(f"{folder / 'bundle.json'}: damaged, {type(error).__name__}: {error}; {_MEND}") from None
    if not (
        type(bundle.image_size) is int
        and 0 < bundle.image_size <= MAX_IMAGE_SIZE
        and type(bundle.max_pixels) is int
        and bundle.max_pixels > 0
        and bundle.resize in get_args(Resize)
    ):
        raise LacunaError(f"{folder / 'bundle.json'}: damaged, impossible input {content['input']}; {_MEND}")
    for name, expected in hashes.items():
        _check_file(folder / name, expected)
    return bundle


_MEND = "run `dvc repro bundle`, or copy the whole folder again"


def _read_description(path: Path) -> dict[str, Any]:
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


def _check_file(path: Path, expected: str) -> None:
    if not path.is_file():
        raise LacunaError(f"{path}: no such file; {_MEND}")
    if path.stat().st_size > MAX_MODEL_BYTES:
        raise LacunaError(f"{path}: expected at most {MAX_MODEL_BYTES} bytes, received {path.stat().st_size}")
    if sha256(path) != expected:
        raise LacunaError(f"{path}: not the file that bundle.json was written for (SHA-256 differs); {_MEND}")
