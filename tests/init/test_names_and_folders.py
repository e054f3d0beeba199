"""`python -m lacuna init` where labels stand in names, lists by number, or for whole folders, as pandas counts."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lacuna.config.params import Params
from lacuna.data.labels.join import group_folders
from lacuna.data.labels.sources import read_labels
from tests.random_images import write_images

Init = Callable[..., Params]


def test_labels_in_names_by_a_pattern(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame(
        {"age": range(1, 61), "gender": [k % 2 for k in range(60)], "race": [k % 7 // 2 for k in range(60)]}
    )
    write_images([f"part{k % 2}/{a}_{g}_{r}_2017.png" for k, (a, g, r) in enumerate(frame.itertuples(index=False))])
    init(code=1)
    assert r"--set 'name_pattern=(?P<first>\d+)_(?P<second>\d+)_(?P<third>\d+)_'" in capsys.readouterr().err
    data = init("--set", r"name_pattern=(?P<age>\d+)_(?P<gender>\d)_(?P<race>\d)_").data
    assert (data.source, data.kinds) == ("file_names", {"gender": "binary", "race": "categorical"})
    said = capsys.readouterr().out
    n = frame.gender.value_counts()
    assert re.search(rf"gender +binary +60 +0 +present {n[1]}, absent {n[0]}\n", said)
    counts = frame.race.value_counts()
    races = sorted(counts.index, key=lambda race: (-counts[race], race))
    assert re.search(r"race +categorical +60 +0 +" + ", ".join(f"{race} {counts[race]}" for race in races), said)


@pytest.mark.parametrize(
    ("called", "pattern", "classes"),
    [
        ("{}_{:03}.png", r"(?P<class>\D+)_\d", ["cat", "dog"]),
        ("{}.{}.png", r"(?P<class>\D+)[.]\d", ["cat", "dog"]),
        ("old_{}-{}.png", r"(?P<class>\D+)-\d", ["old_cat", "old_dog"]),
        ("{}{}.png", r"(?P<class>[A-Za-z]+)\d", ["cat", "dog"]),
        ("{1}_{0}.png", r"\d+_(?P<class>[A-Za-z]+)", ["cat", "dog"]),
    ],
)
def test_the_pattern_that_is_suggested_reads_the_names(
    init: Init, capsys: pytest.CaptureFixture[str], called: str, pattern: str, classes: list[str]
) -> None:
    write_images([called.format(kind, k) for kind in ("cat", "dog") for k in range(20)])
    init(code=1)
    assert f"--set 'name_pattern={pattern}' (docs/sources.md)" in capsys.readouterr().err
    init("--set", f"name_pattern={pattern}")
    assert re.search(rf"class +categorical +40 +0 +{classes[0]} 20, {classes[1]} 20\n", capsys.readouterr().out)


def test_no_pattern_is_suggested_for_names_that_hold_nothing(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    write_images([f"IMG_{k:04}.png" for k in range(40)])
    init(code=1)
    said = capsys.readouterr().err
    assert "Where the images' names hold the labels, data.name_pattern reads them" in said
    assert "--set" not in said


def test_names_without_classes_are_told_and_have_no_labels(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    write_images(
        [f"train/{kind}.{k}.png" for kind in ("cat", "dog") for k in range(20)] + [f"test1/{k}.png" for k in range(9)]
    )
    data = init("--set", "data.name_pattern=(?P<class>[a-z]+)[.]").data
    assert data.kinds == {"class": "categorical"}
    said = capsys.readouterr().out
    assert re.search(r"class +categorical +40 +0 +cat 20, dog 20\n", said)
    assert "9 images are called otherwise than data.name_pattern says: test1/0.png, test1/1.png, test1/2.png" in said


@pytest.mark.parametrize("called", ["{}_left.png {}_right.png", "{}-OD.png {}-OS.png", "{}_L.png {}_R.png"])
def test_left_and_right_stay_in_one_part(init: Init, called: str) -> None:
    names = [name.format(f"p{k}") for k in range(30) for name in called.split()]
    write_images(names)
    pd.DataFrame({"image": names, "grade": [k % 3 for k in range(60)]}).to_csv("photos/labels.csv", index=False)
    data = init().data
    groups = group_folders(pa.array(names), data)
    assert [groups.words[code] for code in groups.code] == [f"p{k // 2}" for k in range(60)]
    assert init("--set", "data.name_pattern=").data.name_pattern == ""


def test_names_that_end_like_sides_are_no_pairs(init: Init) -> None:
    names = [f"{word}{k}.png" for k in range(15) for word in ("food", "bright", "blood", "right")]
    write_images(names)
    pd.DataFrame({"image": names, "grade": [k % 3 for k in range(60)]}).to_csv("photos/labels.csv", index=False)
    assert init().data.name_pattern == ""


@pytest.mark.parametrize("header", [None, ["study", "abnormal"]])
def test_a_row_for_a_folder_labels_its_images(
    init: Init, capsys: pytest.CaptureFixture[str], header: list[str] | None
) -> None:
    rows = [(f"MURA/train/ELBOW/patient{k}/study{k % 2}/", int(k % 3 == 0)) for k in range(24)]
    frame = pd.DataFrame(rows, columns=["study", "abnormal"])
    sizes = pd.Series(range(24)) % 4 + 1
    write_images([f"{study[5:]}{j}.png" for study, n in zip(frame.study, sizes, strict=True) for j in range(n)])
    frame.to_csv("photos/studies.csv", index=False, header=header)
    params = init()
    (name,) = params.data.kinds
    assert params.data.kinds == {name: "binary"}
    n_present = sizes[frame.abnormal == 1].sum()
    said = capsys.readouterr().out
    assert re.search(rf"{name} +binary +60 +0 +present {n_present}, absent {60 - n_present}\n", said)
    assert "names folders: 24 of 24 are there; all images in one have the row's labels and stay in one part" in said
    root = Path(params.data.path)
    images = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))
    table = read_labels(params.data, images)
    assert len(np.unique(table.group.code)) == 24
    assert sorted(table.image[row] for row in range(60)) == images


def test_class_folders_are_not_taken_for_rows_of_folders(init: Init) -> None:
    write_images([f"bird{k}/{j}.png" for k in range(12) for j in range(5)])
    pd.DataFrame({"bird": [f"bird{k}" for k in range(12)], "sea": ["yes", "no"] * 6}).to_csv(
        "photos/about.csv", index=False
    )
    assert init().data.source == "folders"


def test_lists_by_number(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"{k // 20 + 1:03}.Bird{k // 20}/{k}.png" for k in range(60)]
    write_images([f"images/{name}" for name in names])
    lists = {
        "images": names,
        "image_class_labels": [k // 20 + 1 for k in range(60)],
        "train_test_split": [int(k % 3 > 0) for k in range(60)],
    }
    for name, values in lists.items():
        Path(f"photos/{name}.txt").write_text("".join(f"{k} {value}\n" for k, value in enumerate(values, 1)))
    Path("photos/classes.txt").write_text("1 Auk\n2 Wren\n3 Crow\n")
    data = init().data
    assert (data.source, data.labels) == ("cub", "photos")
    assert re.search(r"class +categorical +60 +0 +Auk 20, Crow 20, Wren 20\n", capsys.readouterr().out)


def test_lists_of_classes_and_parts(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"2008_{k:06}" for k in range(60)]
    write_images([f"JPEGImages/{name}.png" for name in names])
    Path("photos/ImageSets/Main").mkdir(parents=True)
    frame = pd.DataFrame(
        {kind: [(-1, 1, -1, 0)[(k + n) % 4] for k in range(60)] for n, kind in enumerate(("cat", "dog"))}
    )
    for kind in frame:
        for part, rows in (("train", range(40)), ("val", range(40, 60)), ("trainval", range(60))):
            text = "".join(f"{names[k]} {frame[kind][k]:2}\n" for k in rows)
            Path(f"photos/ImageSets/Main/{kind}_{part}.txt").write_text(text)
    assert init().data.source == "voc_lists"
    said = capsys.readouterr().out
    for kind in frame:
        n = frame[kind].value_counts()
        assert re.search(rf"{kind} +binary +45 +15 +present {n[1]}, absent {n[-1]}\n", said)


def test_texts_of_parts_are_read_together(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"{k}.png" for k in range(60)]
    write_images(names)
    for part, rows in (("train", range(45)), ("test", range(45, 60))):
        Path(f"photos/{part}_list.txt").write_text("".join(f"{names[k]} {k % 3}\n" for k in rows))
    assert init().data.labels == "photos"
    assert re.search(r"attribute_1 +categorical +60 +0 +0 20, 1 20, 2 20\n", capsys.readouterr().out)


def test_a_file_for_each_image_is_told(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    write_images([f"{k}.png" for k in range(20)])
    for k in range(20):
        Path(f"photos/{k}.txt").write_text(f"{k % 2} 0.5 0.5 0.2 0.2\n")
    init(code=1)
    assert "20 files such as photos/0.txt are called like an image each, as YOLO" in capsys.readouterr().err


def test_rows_of_an_import_file_without_header(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"{k}.png" for k in range(60)]
    write_images(names)
    parts = [("TRAIN", "VALIDATION", "TEST", "UNASSIGNED")[k % 4] for k in range(60)]
    frame = pd.DataFrame({0: parts, 1: [f"s3://bucket/x/{name}" for name in names], 2: ["a", "b", "b"] * 20})
    frame.to_csv("photos/import.csv", index=False, header=False)
    data = init().data
    assert (data.split_column, data.kinds) == ("column_1", {"column_3": "categorical"})
    assert "UNASSIGNED" in data.unknown
    n = frame[2].value_counts()
    assert f"column_3  categorical     60        0  b {n['b']}, a {n['a']}" in capsys.readouterr().out


def test_json_lines_and_tabs_by_any_name(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"{k}.png" for k in range(60)]
    write_images(names)
    rows = [
        {"source-ref": f"s3://b/{name}", "kind": k % 3, "kind-metadata": {"job": k}} for k, name in enumerate(names)
    ]
    Path("photos/output.manifest").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert init().data.image_column == "source-ref"
    assert "'kind-metadata': objects of JSON; to learn what is in them" in capsys.readouterr().out
    Path("photos/output.manifest").unlink()
    Path("photos/train.lst").write_text("".join(f"{k}\t{k % 2}\t{name}\n" for k, name in enumerate(names)))
    data = init().data
    assert (data.image_column, data.kinds) == ("column_3", {"column_2": "binary"})
    assert "several times in the header" not in capsys.readouterr().out


def test_a_list_called_like_a_part_is_no_list_of_voc(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    write_images([f"{k}.png" for k in range(60)])
    Path("photos/places_val.txt").write_text("".join(f"{k}.png {k % 3}\n" for k in range(60)))
    assert init().data.source == "labels_txt"
    assert re.search(r"attribute_1 +categorical +60 +0 +0 20, 1 20, 2 20\n", capsys.readouterr().out)
