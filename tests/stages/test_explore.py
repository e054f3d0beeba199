"""The explore stage: what it writes, what it leaves out where there is nothing, and that test images change nothing."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lacuna.core.manifest import Manifest
from lacuna.core.targets import Targets
from lacuna.errors import LacunaError
from lacuna.io.atomic import read_json
from lacuna.io.csv_files import read_csv, write_csv
from stages.explore import explore
from stages.ingest import ingest
from stages.prepare import prepare
from tests.shards import load_rows, save_rows

N = 120
KINDS = ("boot", "shoe", "hat", "glove")
CHANGES = {
    "data.path": "pictures",
    "data.labels": "labels.csv",
    "data.image_size": 24,
    "data.group_column": "",
    "data.targets": {"kind": "categorical", "red": "binary"},
    "explore.classes": 3,
}
WITH_TEST = {"counts.csv", "labels.png", "classes.png"}
"""The files that tell how many test images there are."""


@pytest.fixture
def prepared(tiny_project: Any, tmp_path: Path) -> Any:
    """Return a function that makes a project at the point where `explore` runs.

    Red is unknown for most hats and for no other kind; every eleventh kind is unknown. Image 7 is one colour, 8 is five
    times as wide as high, a text file is rejected.
    """

    def make(**changes: Any) -> Any:
        folder = tmp_path / "pictures"
        folder.mkdir()
        random = np.random.default_rng(0)
        for number in range(N):
            shape = (30, 150, 3) if number == 8 else (30, 40, 3)
            pixels = random.integers(0, 256, shape, dtype=np.uint8)
            pixels[..., 0] = 255 * (number % 2)
            if number == 7:
                pixels[:] = 128
            Image.fromarray(pixels).save(folder / f"{number:03}.png")
        (folder / "text.jpg").write_text("not an image at all")
        rows = []
        for number in range(N):
            kind = KINDS[number // 2 % 4]
            red = "NA" if kind == "hat" and number % 10 else str(number % 2)
            rows.append((f"{number:03}.png", "NA" if number % 11 == 0 else kind, red))
        write_csv(tmp_path / "labels.csv", ("image", "kind", "red"), rows)
        params = tiny_project(CHANGES | changes)
        ingest(params)
        prepare(params)
        return params

    return make


def written() -> dict[str, str]:
    folder = Path("plots/explore")
    files = [*(path for path in sorted(folder.rglob("*")) if path.is_file()), Path("metrics/explore.json")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.slow
def test_tables_pictures_and_words(prepared: Any, capsys: Any) -> None:
    explore(prepared(**{"augment.views": 3}))
    folder = Path("plots/explore")
    content = read_json(Path("metrics/explore.json"))
    manifest = Manifest.load(Path("data/prepared/manifest.csv"), Targets.load(Path("data/prepared/targets.json")))
    seen = manifest.split != "test"

    counts = {(line["target"], line["class"]): line for line in read_csv(folder / "counts.csv")}
    assert sum(int(counts["red", ""][part]) for part in ("train", "val", "test")) == (manifest.labels[:, 1] < 0).sum()
    assert sum(int(line["images"]) for (target, _), line in counts.items() if target == "kind") == N
    (red,) = (line for line in read_csv(folder / "unknown.csv") if line["target"] == "red")
    assert float(red["unknown"]) == pytest.approx((manifest.labels[seen, 1] < 0).mean(), abs=1e-6)
    (by_kind,) = (line for line in read_csv(folder / "missing_by_class.csv") if line["target"] == "red")
    assert (by_kind["given"], by_kind["class"], by_kind["other_unknown"]) == ("kind", "hat", "0")
    assert float(by_kind["p_holm"]) < 0.01
    pixels = read_csv(folder / "pixels.csv")
    assert sum(float(line["green"]) for line in pixels) == pytest.approx(1, abs=1e-3)
    formats = read_csv(folder / "formats.csv")
    assert [(line["format"], line["mode"], int(line["images"])) for line in formats] == [("PNG", "RGB", seen.sum())]
    expected = {name for name in ("007.png", "008.png") if name in set(manifest.image[seen].tolist())}
    assert {line["image"] for line in read_csv(folder / "odd.csv")} == expected

    assert content["images"]["looked_at"] == seen.sum()
    assert content["images"]["rejected"] == 1
    assert content["files"]["width"]["median"] == 40
    assert content["targets"]["kind"]["classes"] == 4
    assert any(sentence.startswith("red is unknown for ") and "kind is hat, for 0 %" in sentence
               for sentence in content["findings"])  # fmt: skip
    assert any("have unknown labels: red " in sentence and "train_finetune" in sentence
               for sentence in content["findings"])  # fmt: skip
    assert f"{seen.sum()} training and validation images" in capsys.readouterr().out
    pictures = {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")}
    assert pictures == {
        "association.png", "classes.png", "co_occurrence.png", "files.png", "labels.png", "mean_images/kind.png",
        "mean_images/red.png", "missing_by_class.png", "missing_patterns.png", "missing_together.png", "odd.png",
        "pixels.png",
        "rejected.png", "samples/kind.png", "samples/red.png", "views.png",
    }  # fmt: skip


@pytest.mark.slow
def test_twice_the_same_and_test_images_change_nothing_but_their_counts(prepared: Any) -> None:
    params = prepared()
    explore(params)
    first = written()
    explore(params)
    assert written() == first

    targets = Targets.load(Path("data/prepared/targets.json"))
    manifest = Manifest.load(Path("data/prepared/manifest.csv"), targets)
    test = manifest.split == "test"
    images = load_rows("data/images/pixels")
    images[manifest.row[test]] = 255 - images[manifest.row[test]]
    save_rows("data/images/pixels", images)
    manifest.labels[test] = -1
    manifest.save(Path("data/prepared/manifest.csv"), targets)
    files = read_csv(Path("data/images/files.csv"))
    for row in manifest.row[test].tolist():
        files[row] |= {"format": "GIF", "width": "9999", "bytes": "1"}
    write_csv(Path("data/images/files.csv"), list(files[0]), [list(line.values()) for line in files])
    explore(params)
    assert {name for name, digest in written().items() if digest != first[name]} == WITH_TEST


def test_what_there_is_nothing_to_show_of_is_left_out(prepared: Any) -> None:
    params = prepared(**{"augment.views": 1, "data.targets": {"kind": "categorical"}, "explore.odd_aspect_ratio": 9.0})
    shutil.rmtree("pictures")  # only rejected images are read from there
    write_csv(Path("data/images/rejected.csv"), ("image", "reason"), [])
    explore(params)
    folder = Path("plots/explore")
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")} - {"odd.png"}
    assert found == {
        "classes.png", "files.png", "labels.png", "mean_images/kind.png", "missing_patterns.png", "pixels.png",
        "samples/kind.png",
    }  # fmt: skip


def test_files_without_their_origin_are_an_error(prepared: Any) -> None:
    params = prepared()
    path = Path("data/images/files.csv")
    lines = read_csv(path)
    write_csv(path, ("image", "row", "group"), [(line["image"], line["row"], line["group"]) for line in lines])
    with pytest.raises(LacunaError, match=r"files.csv: no column format, mode, width, height, bytes; run dvc repro"):
        explore(params)
    assert not Path("plots/explore").exists()
