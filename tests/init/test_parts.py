"""`python -m lacuna init` on label files that are the parts of one data set, with what pandas counts."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lacuna.config.params import Params
from lacuna.data.labels.sources import read_labels
from tests.random_images import write_images

Init = Callable[..., Params]

NAMES = [f"img{k:02}.png" for k in range(60)]
FRAME = pd.DataFrame({"image": NAMES, "kind": ["a", "b", "b"] * 20, "red": ["1", "0", "", "0"] * 15})
PARTS = {"train": FRAME[:36], "val": FRAME[36:48], "test": FRAME[48:]}


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")


def counts_by_part(params: Params) -> dict[tuple[str, str], int]:
    """How many rows of each part say each kind, as `prepare` reads them."""
    table = read_labels(params.data, sorted(path.name for path in Path("photos").rglob("*.png")))
    kinds, parts = (np.array(column.words)[column.code] for column in (table.labels["kind"], table.split))
    pairs = zip(parts.tolist(), kinds.tolist(), strict=True)
    return pd.Series(list(pairs)).value_counts().to_dict()


@pytest.mark.parametrize(
    "called",
    ["{}.csv", "{}_labels.csv", "labels-{}.tsv", "{}Labels.parquet", "labels/{}.jsonl", "{0}/{0}.csv"],
)
def test_tables_called_like_parts_are_read_together(init: Init, called: str) -> None:
    write_images([f"pictures/{name}" for name in NAMES])
    for part, frame in PARTS.items():
        write_frame(frame, Path("photos", called.format({"val": "valid"}.get(part, part))))
    write_frame(
        FRAME[:5].assign(kind="b"), Path("photos", Path(called).parent.name.strip("{0}"), "sample_submission.csv")
    )
    Path("photos/classes.csv").write_text("kind,meaning\na,apple\nb,bear\n")
    params = init()
    assert params.data.kinds == {"kind": "categorical", "red": "binary"}
    expected = {
        (part, kind): n for part, frame in PARTS.items() for kind, n in frame.kind.value_counts().to_dict().items()
    }
    assert counts_by_part(params) == expected


def test_a_part_without_labels_is_left_out(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    write_images([f"train/{name}" for name in NAMES[:40]] + [f"test/{name}" for name in NAMES[40:]])
    FRAME[:40].assign(sex=["m", "f"] * 20).to_csv("photos/train.csv", index=False)
    pd.DataFrame({"image": NAMES[40:], "sex": ["m", "f"] * 10}).to_csv("photos/test.csv", index=False)
    FRAME[40:].assign(kind="a")[["image", "kind"]].to_csv("photos/sample_submission.csv", index=False)
    data = init().data
    assert (data.labels, data.path) == ("photos/train.csv", "photos/train")
    assert list(data.kinds) == ["kind", "red", "sex"]
    said = capsys.readouterr().out
    assert "photos/test.csv is left out: it has no column 'kind', 'red', so its images have no labels" in said
    n = FRAME[:40].kind.value_counts()
    assert f"kind    categorical     40        0  b {n['b']}, a {n['a']}" in said


def test_images_of_the_same_name_are_those_of_the_own_part(init: Init) -> None:
    write_images([f"{folder}/{k}.png" for folder, n in (("Training", 40), ("test_images", 20)) for k in range(n)])
    for part, n in (("train", 40), ("test", 20)):
        kinds = ["ab"[part == "test"] if k < 10 else "ab"[k % 2] for k in range(n)]
        pd.DataFrame({"id": range(n), "kind": kinds}).to_csv(f"photos/set_{part}.csv", index=False)
    params = init()
    names = sorted(path.relative_to("photos").as_posix() for path in Path("photos").rglob("*.png"))
    table = read_labels(params.data, names)
    third = {table.row(row) for row in range(len(table)) if table.image[row].endswith("/3.png")}
    assert third == {(5, "Training/3.png", ("a",), "", "train"), (5, "test_images/3.png", ("b",), "", "test")}


@pytest.mark.parametrize(
    ("called", "beside"), [("{}/_annotations.coco.json", True), ("ann/instances_{}2017.json", False)]
)
def test_coco_files_called_like_parts_are_read_together(
    init: Init, capsys: pytest.CaptureFixture[str], called: str, beside: bool
) -> None:
    rows = [(f"{k}.png", "cat" if k % 3 else "dog") for k in range(60)]
    for part, own in (("train", rows[:40]), ("valid", rows[40:50]), ("test", rows[50:])):
        write_images([f"{part if beside else 'all'}/{name}" for name, _ in own])
        content = {
            "images": [{"id": k, "file_name": name} for k, (name, _) in enumerate(own)],
            "annotations": [
                {"image_id": k, "category_id": len(word + part)} for k, (_, word) in enumerate(own) if word == "cat"
            ],
            "categories": [{"id": len("cat" + part), "name": "cat"}],  # ids are each file's own
        }
        path = Path("photos", called.format(part))
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
    data = init().data
    assert data.source == "coco"
    table = read_labels(data, sorted(path.relative_to("photos").as_posix() for path in Path("photos").rglob("*.png")))
    n = pd.DataFrame(rows).groupby(1).size()
    counted = rf"cat +binary +60 +0 +present {n['cat']}, absent {n['dog']}\n"
    assert re.search(counted, capsys.readouterr().out)
    counts = dict(zip(table.split.words, table.split.counts().tolist(), strict=True))
    assert counts == {"train": 40, "val": 10, "test": 10}


def test_folders_that_read_like_parts_are_no_classes(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    write_images([f"{part}/{name}" for part in ("train/cat", "train/dog", "test1/cat") for name in NAMES[:9]])
    init(code=1)
    said = capsys.readouterr().err
    assert "photos: its folders 'test1', 'train' read like parts of a data set, not like classes; rename" in said


def test_folders_called_training_and_testing_are_the_split(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    """As the brain tumours of Kaggle come, with their classes below."""
    write_images([f"{part}/{name}" for part in ("Training/cat", "Training/dog", "Testing/cat") for name in NAMES[:18]])
    data = init().data
    assert data.source == "folders"
    assert "cat 36, dog 18" in capsys.readouterr().out


def test_one_image_in_two_parts_is_told_before_anything_is_written(
    init: Init, capsys: pytest.CaptureFixture[str]
) -> None:
    write_images(NAMES)
    FRAME[:40].to_csv("photos/train.csv", index=False)
    FRAME[39:].to_csv("photos/test.csv", index=False)
    before = Path("params.yaml").read_bytes()
    init(code=1)
    assert (
        "photos/train.csv:41: image 'img39.png' stands in another split than in photos/test.csv:2"
        in capsys.readouterr().err
    )
    assert Path("params.yaml").read_bytes() == before


def test_patients_are_the_group_where_studies_are_told_too(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    write_images(NAMES)
    ids = {"study_id": [f"s{k // 2}" for k in range(60)], "subject_id": [f"p{k // 6}" for k in range(60)]}
    FRAME.assign(**ids).to_csv("photos/labels.csv", index=False)
    data = init().data
    assert (data.group_column, list(data.kinds)) == ("subject_id", ["kind", "red"])
    assert "not a target: 'study_id': names smaller groups than 'subject_id'" in capsys.readouterr().out
