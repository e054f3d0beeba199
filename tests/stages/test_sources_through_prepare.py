"""Class folders and idx files through ingest and prepare, as DVC runs them, with the mess they come with."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lacuna.io.atomic import read_json
from lacuna.io.csv_files import read_csv, write_csv
from tests.idx_files import idx_bytes, write_idx_folder
from tests.shards import load_rows


def run_both(run_stage_here: Any) -> str:
    said = ""
    for name in ("ingest", "prepare"):
        done = run_stage_here(name)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        said += done.stdout
    return said


def labels_by_image(target: str) -> dict[str, str]:
    (classes,) = (one["classes"] for one in read_json(Path("data/prepared/targets.json")))
    manifest = read_csv(Path("data/prepared/manifest.csv"))
    return {line["image"]: classes[int(line[target])] for line in manifest}


FOLDERS = {"data.source": "folders", "data.path": "raw", "data.labels": "raw", "data.targets": {}}
IDX = {**FOLDERS, "data.source": "idx", "data.targets": {"clothing": "categorical"}}
SMALL = {"data.image_size": 32, "split.val": 0.2, "split.test": 0.2, "split.min_positives": 1}


def test_class_folders(tiny_project: Any, tmp_path: Path, run_stage_here: Any) -> None:
    generator = np.random.default_rng(0)
    for number in range(60):
        folder = tmp_path / "raw" / ("cat", "dog", "dog/puppies")[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    (tmp_path / "raw" / "bird").mkdir()
    (tmp_path / "raw" / "dog" / "notes.txt").write_text("woof")
    (tmp_path / "raw" / "cat" / "page.jpg").write_text("<html>")
    Image.fromarray(generator.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(tmp_path / "raw" / "logo.png")
    tiny_project({**FOLDERS, **SMALL})

    said = run_both(run_stage_here)
    assert "61 of 62 images, 1 rejected, 1 other files ignored" in said
    assert "rejected: cat/page.jpg: not an image of a known format" in said
    assert "warning: 1 image outside of the class folders, without a class: logo.png" in said
    assert "warning: 1 folders where a class belongs hold no image: bird" in said
    labels = labels_by_image("class")
    assert len(labels) == 60
    assert all(image.split("/")[0] == label for image, label in labels.items())
    assert read_csv(Path("data/prepared/dropped.csv")) == [
        {"line": "", "image": "cat/page.jpg", "reason": "not an image of a known format"}
    ]


@pytest.mark.slow
def test_class_folders_in_split_folders(tiny_project: Any, tmp_path: Path, run_stage_here: Any) -> None:
    generator = np.random.default_rng(0)
    for number in range(60):
        folder = tmp_path / "raw" / ("train", "train", "Test")[number % 3] / ("cat", "dog")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    tiny_project({**FOLDERS, **SMALL, "data.max_images": 30})

    run_both(run_stage_here)
    manifest = read_csv(Path("data/prepared/manifest.csv"))
    assert all((line["split"] == "test") == line["image"].startswith("Test/") for line in manifest)
    assert {line["split"] for line in manifest} == {"train", "val", "test"}
    places = Counter(line["image"].rpartition("/")[0] for line in manifest)
    assert places == {"train/cat": 10, "train/dog": 10, "Test/cat": 5, "Test/dog": 5}
    assert read_json(Path("metrics/prepare.json"))["rows_left_out"] == 30


@pytest.mark.slow
def test_idx_files(tiny_project: Any, tmp_path: Path, run_stage_here: Any) -> None:
    values = write_idx_folder(tmp_path / "raw", train=80, test=40)
    values["t10k-images"][0] = values["train-images"][0]
    (tmp_path / "raw" / "t10k-images-idx3-ubyte.gz").write_bytes(idx_bytes(values["t10k-images"]))
    (tmp_path / "raw" / "classes.txt").write_text("boot\nshoe\nhat\ncoat\n")
    tiny_project({**IDX, **SMALL, "data.image_size": 28})

    said = run_both(run_stage_here)
    assert "120 of 120 images, 0 rejected" in said
    assert "warning: 1 groups of duplicates or of the group column stand in more than one split" in said
    images = load_rows("data/images/pixels")
    assert (images[..., 1] == np.concatenate([values["train-images"], values["t10k-images"]])).all()
    labels = labels_by_image("clothing")
    assert [labels[f"t10k/0000{number}"] for number in range(4)] == ["boot", "shoe", "hat", "coat"]
    splits = Counter(
        (line["image"].split("/")[0], line["split"]) for line in read_csv(Path("data/prepared/manifest.csv"))
    )
    assert splits["t10k", "test"] == 40
    assert splits["train", "train"] + splits["train", "val"] == 80
    assert splits["train", "val"] >= 16


@pytest.mark.slow
def test_a_sample_of_idx_files_is_no_mistake(tiny_project: Any, tmp_path: Path, run_stage_here: Any) -> None:
    write_idx_folder(tmp_path / "raw", train=800, test=400)
    tiny_project({**IDX, **SMALL, "data.max_images": 60})
    said = run_both(run_stage_here)
    assert "60 of 1200 images, 0 rejected" in said
    assert "no usable image" not in said
    metrics = read_json(Path("metrics/prepare.json"))
    assert (metrics["images"], metrics["rows_left_out"], metrics["rows_without_image"]) == (60, 1140, 0)
    taken = Counter((image.split("/")[0], label) for image, label in labels_by_image("clothing").items())
    assert set(taken.values()) == {10, 5}
    assert sum(n for (part, _), n in taken.items() if part == "train") == 40


def test_a_spoiled_idx_file_ends_in_one_line_and_no_output(
    tiny_project: Any, tmp_path: Path, run_stage_here: Any, one_line: Any
) -> None:
    write_idx_folder(tmp_path / "raw", train=80, test=40)
    path = tmp_path / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-100])
    tiny_project({**IDX, **SMALL})
    assert "raw/train-images-idx3-ubyte: cut short after 62620 of the 62720 bytes" in one_line(run_stage_here("ingest"))
    assert list(Path("data").iterdir() if Path("data").exists() else []) == []


def test_a_line_end_in_a_files_name_and_words_for_unknown_go_through_both_stages(
    tiny_project: Any, tmp_path: Path, run_stage_here: Any
) -> None:
    (tmp_path / "raw").mkdir()
    generator = np.random.default_rng(0)
    names = ["a\rb", "c\nd", *map(str, range(2, 60))]
    for name in names:
        Image.fromarray(generator.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(tmp_path / "raw" / f"{name}.png")
    words = ("circle", "square", "#N/A")
    rows = [(f"{name}.png", words[place % 3]) for place, name in enumerate(names)]
    write_csv(tmp_path / "labels.csv", ("file", "shape"), rows)
    changes = {"data.path": "raw", "data.labels": "labels.csv", "data.targets": {"shape": "categorical"}}
    tiny_project({**SMALL, **changes, "data.image_column": "file", "data.group_column": ""})

    said = run_both(run_stage_here)
    assert "60 of 60 images, 0 rejected" in said
    assert "warning: shape: '#N/A' (20 images) read like \"unknown\" but count as classes" in said
    assert "add the words to data.unknown" in said
    labels = labels_by_image("shape")
    assert labels == dict(rows)
    assert [labels["a\rb.png"], labels["c\nd.png"]] == ["circle", "square"]
