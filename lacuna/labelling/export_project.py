"""A project for Label Studio: the labelling config, and the images worth a label with what the model says of them."""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lacuna.config.data import Data
from lacuna.core.correction_table import COLUMNS, UNKNOWN_WORD
from lacuna.core.manifest import Manifest
from lacuna.core.targets import TOO_RARE, Targets
from lacuna.errors import LacunaError
from lacuna.inference.bundle import DESCRIPTION_FILE
from lacuna.inference.prediction import Prediction
from lacuna.inference.predictor import Predictor
from lacuna.io.atomic import atomic_folder, sha256
from lacuna.io.plurals import number_of
from lacuna.io.spreadsheets import read_sheet
from lacuna.labelling.label_config import HINT, IMAGE_KEY, Control, default_controls, label_config
from lacuna.labelling.local_files import local_file_address, prefixed_address
from lacuna.labelling.pre_annotations import choice_region, decided_regions, pre_annotation, version_name

AUDIT = Path("data/audit")

Table = Literal["to_label", "label_issues"]
TABLES: tuple[Table, ...] = ("to_label", "label_issues")
"""The audit's tables of cells to label: unknown ones, and labels that look wrong."""

CONFIG_FILE, TASKS_FILE = "label_config.xml", "tasks.json"

VERSION_DIGITS_SHOWN = 12

KnownLabels = Mapping[str, str]
"""The known labels of an image, by target; "" for one whose class is too rare to be chosen."""


@dataclass(frozen=True)
class Wanted:
    """An image to label. cells: of each target that is asked about, the row of an audit's table."""

    image: str
    cells: dict[str, dict[str, str]]


@dataclass(frozen=True)
class LabellingProject:
    """What was written: images and cells to label, and how many more images the audit's table holds."""

    images: int
    cells: int
    left: int
    version: str

    def describe(self, out: Path) -> str:
        more = f", {number_of(self.left, 'more image is', 'more images are')} left" if self.left else ""
        there = f"{number_of(self.images, 'image')}, {number_of(self.cells, 'cell')}"
        return f"{out}: {there} to label{more}; predictions of {self.version}"


def export_project(out: Path, data: Data, table: Table, bundle: Path, most: int, where: Path | str) -> LabellingProject:
    """Write the config and at most `most` tasks, in the order of the audit's table, to the folder `out`.

    bundle: the model whose predictions become pre-annotations. where: Label Studio's document root, as `find_root`
    gives it, or the URL below which the images are. Labels that are known stand in a pre-annotation as they are, so
    that nobody has to give them again. Raises LacunaError when something is missing or nothing is left to label, and
    when `out` holds other files than such a project's.
    """
    if most < 1:
        raise LacunaError(f"--tasks: expected at least 1, received {most}")
    images, address = Path(data.path), _addresses_in(data, where)
    check_project_folder(out)
    targets = Targets.load(Path("data/prepared/targets.json"))
    manifest = Manifest.load(Path("data/prepared/manifest.csv"), targets)
    labels = _known_labels(manifest, targets)
    wanted = _read_wanted(AUDIT / f"{table}.csv", labels)
    if not wanted:
        raise LacunaError(f"{AUDIT / table}.csv: no cell to label; run dvc repro audit, or name the other --table")
    chosen = list(wanted.values())[:most]
    for name in TABLES:
        others = _read_wanted(AUDIT / f"{name}.csv", labels)
        for one in chosen:
            one.cells.update(others[one.image].cells if one.image in others else {})
    config = label_config(targets)
    controls = default_controls({target.name: list(target.classes) for target in targets})
    predictor = Predictor.load(bundle)
    version = sha256(bundle / DESCRIPTION_FILE)[:VERSION_DIGITS_SHOWN]
    predictions = predictor.stream(images / one.image for one in chosen)
    with atomic_folder(out) as folder:
        (folder / CONFIG_FILE).write_text(config, encoding="utf-8")
        with (folder / TASKS_FILE).open("w", encoding="utf-8") as file:
            for number, (one, prediction) in enumerate(zip(chosen, predictions, strict=True)):
                if prediction.error is not None:
                    raise LacunaError(f"{images / one.image}: {prediction.error}; run dvc repro")
                task = _task(one, labels[one.image], prediction, controls, address(one.image), version_name([version]))
                file.write(("[\n" if number == 0 else ",\n") + json.dumps(task, ensure_ascii=False, allow_nan=False))
            file.write("\n]\n")
    return LabellingProject(len(chosen), sum(len(one.cells) for one in chosen), len(wanted) - len(chosen), version)


def find_root(data: Data, root: Path | None) -> Path:
    """Label Studio's document root, absolute: `root`, or else the working folder, or the one above the images.

    Raises LacunaError when the images are not files in a folder below it: Label Studio serves no folder that is itself
    the root.
    """
    if data.source == "idx":
        raise LacunaError("data.source is idx: Label Studio shows image files, and these images are rows of an array")
    images = _absolute(Path(data.path))
    if root is None:
        return Path.cwd() if Path.cwd() in images.parents else images.parent
    if _absolute(root) not in images.parents:
        raise LacunaError(f"--local-files-root {root}: expected a folder above data.path, {data.path}")
    return _absolute(root)


def describe_next(out: Path, data: Data, where: Path | str) -> list[str]:
    """What to do in Label Studio with a project of `export_project`."""
    start, storage = "label-studio start", ""
    if isinstance(where, Path):
        served = f"LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={shlex.quote(str(where))}"
        start = f"LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true {served} {start}"
        storage = f"; Cloud Storage > Add Source Storage > Local Files: {_absolute(Path(data.path))}"
    return [
        f"start Label Studio: {start}",
        f"in the project's settings: Labeling Interface > Code: {out / CONFIG_FILE}{storage}",
        f"then Import: {out / TASKS_FILE}",
    ]


def _addresses_in(data: Data, where: Path | str) -> Callable[[str], str]:
    """Where Label Studio finds an image, by its name."""
    if isinstance(where, str):
        return lambda image: prefixed_address(where, image)
    folder = _absolute(Path(data.path)).relative_to(where)
    return lambda image: local_file_address((folder / image).as_posix())


def _absolute(path: Path) -> Path:
    """With links as they are, since Label Studio looks at names alone."""
    return path.resolve() if ".." in path.parts else path.absolute()


def check_project_folder(out: Path) -> None:
    """Raise LacunaError when a project written to `out` would overwrite anything but another one."""
    if out.exists() and not (out.is_dir() and {path.name for path in out.iterdir()} <= {CONFIG_FILE, TASKS_FILE}):
        raise LacunaError(
            f"{out}: holds other files than a labelling project's, which would be lost; name another folder"
        )


def _known_labels(manifest: Manifest, targets: Targets) -> dict[str, KnownLabels]:
    words = [dict(enumerate(target.classes)) | {TOO_RARE: ""} for target in targets]
    return {
        image: {name: of[index] for name, of, index in zip(targets.names, words, row, strict=True) if index in of}
        for image, row in zip(manifest.image.tolist(), manifest.labels.tolist(), strict=True)
    }


def _read_wanted(path: Path, labels: Mapping[str, KnownLabels]) -> dict[str, Wanted]:
    """The images of an audit's table in its order; cells that were labelled otherwise since are left out.

    Raises LacunaError when it is no such table.
    """
    try:
        rows = read_sheet(path)
    except FileNotFoundError:
        raise LacunaError(f"{path}: no such file; run dvc repro audit") from None
    if rows and not {*COLUMNS, "suggested"} <= rows[0].keys():
        raise LacunaError(f"{path}: expected the columns {','.join(COLUMNS)}; run dvc repro audit")
    found: dict[str, Wanted] = {}
    for row in rows:
        image, target = row["image"], row["target"]
        if image in labels and labels[image].get(target, UNKNOWN_WORD) == row["given"]:
            found.setdefault(image, Wanted(image, {})).cells[target] = row
    return found


def _task(
    wanted: Wanted, known: KnownLabels, prediction: Prediction, controls: Sequence[Control], address: str, version: str
) -> dict[str, Any]:
    """A task: the picture, what to look at, and the known labels with the model's decisions where there is none."""
    given = [choice_region(control, known[control.name]) for control in controls if known.get(control.name)]
    open_controls = [control for control in controls if control.name not in known]
    regions = decided_regions(open_controls, prediction.targets)
    data: dict[str, Any] = {IMAGE_KEY: address, "name": wanted.image, HINT: _hint(wanted, prediction)}
    first = next(iter(wanted.cells.values()))
    data.update({key: float(first[key]) for key in ("value", "quality") if first.get(key)})
    return {"data": data, "predictions": [pre_annotation([*given, *regions], version)]}


def _hint(wanted: Wanted, prediction: Prediction) -> str:
    """What is asked about this picture: unknown cells, and labels that look wrong with the one that fits better."""
    unknown = [name for name, row in wanted.cells.items() if row["given"] == UNKNOWN_WORD]
    doubted = [
        f"{name} is labelled {row['given']}, is it {row['suggested']}?"
        for name, row in wanted.cells.items()
        if row["given"] != UNKNOWN_WORD
    ]
    asked = [f"To label: {', '.join(unknown)}"] if unknown else []
    unlike = ["unlike the images the model was trained on"] if prediction.unfamiliar else []
    return "; ".join(asked + doubted + unlike)
