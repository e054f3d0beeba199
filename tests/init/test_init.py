"""`python -m lacuna init` on folders as people have them: what is found is what a person would have typed."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lacuna.cli import main
from lacuna.config.load import load_params
from lacuna.config.params import Params
from tests.random_images import write_images
from tests.xlsx_files import write_xlsx

Init = Callable[..., Params]


NAMES = [f"{k:03}.png" for k in range(60)]
FRAME = pd.DataFrame(
    {
        "Bild": NAMES,
        "Farbe": [("rot", "grün", "unbekannt", "n/a")[k % 4] for k in range(60)],
        "gestreift": [("ja", "1", "0", "")[k % 4] if k % 4 else "1" for k in range(60)],
        "Patient": [f"P{k // 3}" for k in range(60)],
        "Größe": [f"{k * 1.7:.2f}" for k in range(60)],
        "Notiz": [f"gesehen am {k}." for k in range(60)],
        "Farbe Nr.": [("1", "2", "", "")[k % 4] for k in range(60)],
    }
)


def test_a_messy_table_is_read_as_a_person_would(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    write_images([f"bilder/{name}" for name in NAMES])
    Path("photos/README.txt").write_text("photos of last summer")
    FRAME.to_csv("photos/tabelle.csv", sep=";", index=False, encoding="cp1252")
    data = init().data
    said = capsys.readouterr().out
    assert (data.source, data.path, data.labels) == ("table", "photos/bilder", "photos/tabelle.csv")
    assert (data.image_column, data.group_column, data.encoding) == ("Bild", "Patient", "cp1252")
    assert data.kinds == {"Farbe": "categorical", "gestreift": "binary"}
    assert "n/a" in data.unknown
    assert "column 'Bild' names the images: 60 of 60 are there" in said
    assert "not a target: 'Größe': numbers, 60 different ones" in said
    assert "not a target: 'Notiz': 60 different values in 60 rows: names or text" in said
    assert "--set data.group_column=" in said
    assert "not a target: 'Farbe Nr.': says the same as 'Farbe'" in said
    assert re.search(r"Farbe +categorical +30 +30 +grün 15, rot 15\n", said)


@pytest.mark.parametrize("rare", ["unknown", "other"])
def test_a_class_of_too_few_images_is_shown_as_what_it_becomes(
    init: Init, capsys: pytest.CaptureFixture[str], rare: str
) -> None:
    write_images(NAMES)
    kinds = ["zebra", "lynx", *["cat", "dog"] * 29]
    pd.DataFrame({"file": NAMES, "kind": kinds}).to_csv("photos/labels.csv", index=False)
    init("--set", f"rare_classes={rare}", "--set", "min_class_count=2")
    said = capsys.readouterr().out
    assert re.search(rf"000\.png +000\.png +zebra → {rare}\n", said)
    assert "cat 29, dog 29" in said


def test_counts_and_rows_are_those_that_prepare_will_read(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    write_images(NAMES[:50])
    frame = pd.DataFrame({"file": NAMES[5:], "striped": ["1", "0", "NA", "0", "0"] * 11})
    frame.to_csv("photos/labels.csv", index=False)
    assert init().data.labels_without_images == "ignore"
    said = capsys.readouterr().out
    assert "striped  binary     36        9  present 9, absent 27" in said
    assert (
        "45 images have labels\n5 images have none: 000.png, 001.png, 002.png, ...\n10 label rows have no image" in said
    )
    assert re.search(r"005.png +005.png +1 → present", said)
    assert "dvc repro of 50 images takes about" in said


def test_the_same_table_in_other_formats(init: Init) -> None:
    write_images(NAMES)
    frame = FRAME[["Bild", "Farbe", "Patient"]]
    found = []
    for name in ("t.csv", "t.tsv", "t.json", "t.jsonl", "t.parquet", "t.xlsx"):
        path = Path("photos", name)
        if name.endswith("sv"):
            frame.to_csv(path, sep="\t" if name == "t.tsv" else ",", index=False)
        elif name.endswith("x"):
            write_xlsx(path, {"Blatt": [list(frame), *frame.to_numpy().tolist()]})
        elif name.endswith("parquet"):
            frame.to_parquet(path)
        else:
            frame.to_json(path, orient="records", lines=name == "t.jsonl")
        data = init().data
        found.append((data.labels, data.image_column, data.group_column, data.kinds))
        path.unlink()
    assert [one[0] for one in found] == [f"photos/t.{s}" for s in ("csv", "tsv", "json", "jsonl", "parquet", "xlsx")]
    assert all(one[1:] == ("Bild", "Patient", {"Farbe": "categorical"}) for one in found)


def test_a_table_without_header(init: Init) -> None:
    write_images(NAMES)
    FRAME[["Bild", "Farbe"]].to_csv("photos/labels.txt", sep=",", index=False, header=False)
    data = init().data
    assert data.columns == ("column_1", "column_2")
    assert (data.image_column, data.kinds) == ("column_1", {"column_2": "categorical"})


def test_one_hot_columns_in_folders_of_parts(init: Init) -> None:
    for part, n in (("train", 30), ("valid", 15), ("test", 15)):
        write_images([f"{part}/{part}{k}.png" for k in range(n)])
        rows = [(f"{part}{k}.png", *(int(k % 3 == c) for c in range(3))) for k in range(n)]
        pd.DataFrame(rows, columns=["filename", " a", " b", " c"]).to_csv(f"photos/{part}/_classes.csv", index=False)
    data = init().data
    assert (data.labels, data.path, data.image_column) == ("photos", "photos", "filename")
    assert data.kinds == {"class": "categorical"}
    assert data.column("class").column == ("a", "b", "c")
    apart = init("--set", "targets={a: binary, b: binary}").data
    assert apart.kinds == {"a": "binary", "b": "binary"}


def test_lists_in_cells(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    write_images(NAMES)
    cells = ["cat|dog", "dog", "No Finding", "bird|cat", "bird|dog|cat", ""] * 10
    pd.DataFrame({"image": NAMES, "Finding Labels": cells}).to_csv("photos/labels.csv", index=False)
    data = init().data
    assert data.kinds == {"Finding Labels": "tags"}
    assert (data.tags.separator, data.tags.none, data.tags.absent_means) == ("|", ("No Finding",), "absent")
    assert "cat     binary     50       10  present 30, absent 20" in capsys.readouterr().out
    assert init("--set", "tags.absent_means=unknown").data.tags.absent_means == "unknown"


def test_minus_one_is_absent_alone_and_uncertain_beside_zero(init: Init) -> None:
    write_images(NAMES)
    frame = pd.DataFrame({"image": NAMES, "a": ["-1", "1"] * 30})
    frame.to_csv("photos/labels.csv", index=False)
    assert "-1" in init().data.negative
    frame.assign(b=["-1", "0", "1"] * 20).to_csv("photos/labels.csv", index=False)
    data = init().data
    assert ("-1" in (data.column("a").negative or ()), "-1" in (data.column("b").unknown or ())) == (True, True)


def test_left_and_right_are_images_of_one_row(init: Init) -> None:
    write_images([f"{k}_{side}.png" for k in range(30) for side in ("left", "right")])
    frame = pd.DataFrame({"left": [f"{k}_left.png" for k in range(30)], "right": [f"{k}_right" for k in range(30)]})
    frame.assign(sex=["M", "F"] * 15).to_csv("photos/labels.csv", index=False)
    data = init().data
    assert (data.image_columns, data.kinds) == (("left", "right"), {"sex": "categorical"})


def test_folders_of_patients_are_groups(init: Init) -> None:
    names = [f"set/p{patient}/study/{view}.png" for patient in range(15) for view in range(4)]
    write_images(names)
    written = [f"/nas/other/{name}" for name in names]
    pd.DataFrame({"Path": written, "Edema": ["1.0", "0.0"] * 30}).to_csv("photos/train.csv", index=False)
    data = init().data
    assert (data.path, data.group_folders, data.kinds) == ("photos/set", 1, {"Edema": "binary"})


def test_class_folders_without_a_label_file(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    write_images([f"{kind}/{k}.png" for kind in ("cat", "dog") for k in range(20)])
    data = init().data
    assert (data.source, data.labels, data.kinds) == ("folders", "photos", {"class": "categorical"})
    assert "their 2 folders are the classes: 'cat', 'dog'" in capsys.readouterr().out


def test_comments_stay_and_nothing_is_left_of_other_data(init: Init) -> None:
    before = Path("params.yaml").read_text()
    write_images(NAMES)
    pd.DataFrame({"image": NAMES, "a": ["0", "1"] * 30}).to_csv("photos/labels.csv", index=False)
    params = init()
    text = Path("params.yaml").read_text()
    assert [line.partition("  # ")[2] for line in before.splitlines() if "  # " in line] == [
        line.partition("  # ")[2] for line in text.splitlines() if "  # " in line
    ]
    assert '  group_column: ""  # table' in text
    assert params.data.group_column == ""
    assert "person" not in params.data.targets


def test_the_formats_of_tools_are_told_by_what_is_in_them(init: Init) -> None:
    write_images([f"img/{name}" for name in NAMES])
    lines = "".join(f"{name} {1 if k % 2 else -1} {-1 if k % 3 else 1}\n" for k, name in enumerate(NAMES))
    Path("photos/list_attr.txt").write_text(f"60\nBald Smiling\n{lines}")
    assert init().data.source == "celeba"
    Path("photos/list_attr.txt").unlink()
    tags = ["", '<tag label="full" source="manual"></tag>']
    images = "".join(
        f'<image id="{k}" name="in/{name}" width="8" height="8">{tags[k % 2]}</image>' for k, name in enumerate(NAMES)
    )
    Path("photos/annotations.xml").write_text(f"<annotations><version>1.1</version>{images}</annotations>")
    data = init().data
    assert (data.source, data.path, data.targets) == ("cvat", "photos/img", {})
    Path("photos/annotations.xml").unlink()
    result = {"from_name": "kind", "to_name": "image", "type": "choices"}
    tasks = [
        {
            "id": k,
            "data": {"image": f"/data/upload/1/{k:08x}-{name}"},
            "annotations": [{"id": k, "result": [{**result, "value": {"choices": ["cat", "dog"][k % 2 :][:1]}}]}],
        }
        for k, name in enumerate(NAMES)
    ]
    Path("photos/export.json").write_text(json.dumps(tasks))
    assert init().data.source == "label_studio"


def test_a_person_is_asked_what_cannot_be_known(init: Init, monkeypatch: pytest.MonkeyPatch) -> None:
    write_images(NAMES)
    cells = ["cat|dog", "dog", "No Finding", "bird|cat", "bird|dog|cat", ""] * 10
    frame = pd.DataFrame({"image": NAMES, "patient": [f"P{k // 2}" for k in range(60)], "found": cells})
    frame.to_csv("photos/labels.csv", index=False)
    answers = iter(["y", "n"])
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or next(answers))
    monkeypatch.setattr("lacuna.init.run.is_terminal", lambda: True)
    assert main(["init", "photos"]) == 0
    data = load_params(Path("params.yaml")).data
    assert [question.split(".")[0] for question in asked] == [
        "images of the same patient belong together",
        "found: a tag that is not listed is absent",
    ]
    assert (data.group_column, data.tags.absent_means) == ("patient", "unknown")


def test_names_that_tell_the_class_are_told(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"{('cat', 'dog')[k % 2]}_{k}.png" for k in range(60)]
    write_images(names)
    pd.DataFrame({"image": names, "kind": ["Cat", "Dog"] * 30}).to_csv("photos/labels.csv", index=False)
    init()
    assert "the images' names tell the class of 'kind': was it labelled by name?" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("names", "table", "message"),
    [
        ([], None, "photos: no image in it; 0 other files"),
        (NAMES, None, "photos: 60 images, but no label file that names them and no class folders"),
        (
            NAMES,
            {"who": ["x", "y"] * 30, "a": ["0", "1"] * 30},
            "no column names images, such as '000.png'; its columns",
        ),
        (
            NAMES,
            {"image": NAMES, "a": ["1"] * 60},
            "no column to learn: 'a': says only '1': is the rest absent, or unknown?",
        ),
        (NAMES[:5], {"image": NAMES[:5], "a": ["0", "1", "0", "1", "0"]}, "only 5 images have labels"),
    ],
)
def test_what_cannot_be_read_is_said_and_nothing_is_written(
    init: Init, capsys: pytest.CaptureFixture[str], names: list[str], table: Any, message: str
) -> None:
    Path("photos").mkdir()
    write_images(names)
    if table:
        pd.DataFrame(table).to_csv("photos/labels.csv", index=False)
    before = Path("params.yaml").read_bytes()
    init(code=1)
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert Path("params.yaml").read_bytes() == before


def test_all_that_is_missing_is_said_at_once(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    Path("photos").mkdir()
    init("--labels", "a.csv", "b.csv", code=1)
    error = capsys.readouterr().err
    assert "a.csv: no such label file; b.csv: no such label file; photos: no image in it" in error


def test_a_wrong_change_is_named(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    write_images(NAMES)
    pd.DataFrame({"image": NAMES, "a": ["0", "1"] * 30}).to_csv("photos/labels.csv", index=False)
    before = Path("params.yaml").read_bytes()
    init("--set", "group_colum=a", code=1)
    assert "data.group_colum: unknown key, did you mean group_column?" in capsys.readouterr().err
    init("--set", "group_column", code=1)
    assert "--set group_column: expected KEY=VALUE" in capsys.readouterr().err
    assert Path("params.yaml").read_bytes() == before
