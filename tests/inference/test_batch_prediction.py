import csv
import io
import json
import os

import numpy as np
import pytest
from PIL import Image

from lacuna.calibration.selective import NEVER, Promise
from lacuna.cli import main
from lacuna.core.predictions import Predictions
from lacuna.core.targets import Target
from lacuna.inference import output_files
from lacuna.inference.batch_prediction import describe_answers
from lacuna.inference.output_files import columns
from tests.tiny_bundle import TARGETS, write_tiny_bundle

COLOURS = {"black": 0, "blue": 1, "red": 2}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return str(write_tiny_bundle(tmp_path_factory.mktemp("batch") / "bundle"))


@pytest.fixture
def photos(tmp_path):
    for colour, number in COLOURS.items():
        Image.new("RGB", (32, 32), colour).save(tmp_path / f"{number}.png")
    (tmp_path / "3.png").write_text("not an image")
    return tmp_path


def predict(bundle, *arguments):
    return main(["predict", *map(str, arguments), "--bundle", bundle])


def read(path):
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return [{key: value or None for key, value in row.items()} for row in csv.DictReader(file)]
    from pyarrow import parquet

    return parquet.read_table(path).to_pylist()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_has_a_row_per_image_and_a_column_per_class(suffix, bundle, photos, capsys, monkeypatch):
    monkeypatch.setattr(output_files, "ROWS_AT_ONCE", 3)
    out = photos / f"said{suffix}"
    assert predict(bundle, photos, "--out", out) == 0
    rows = read(out)
    assert list(rows[0]) == list(columns(TARGETS))
    assert [row["image"] for row in rows] == [str(photos / f"{number}.png") for number in range(4)]
    assert [row["error"] for row in rows] == [None, None, None, "not an image of a known format"]
    assert [row["colour"] for row in rows] == ["green", "blue", "green", None]
    assert [row["red"] for row in rows] == ["absent", "absent", "present", None]
    # blue's means are (0, 0, 1): its logits are 0 for green and 1 for blue
    assert float(rows[1]["colour.p.blue"]) == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-5)
    assert float(rows[1]["colour.p.green"]) == pytest.approx(1 / (1 + np.exp(1)), abs=1e-5)
    said = capsys.readouterr()
    assert said.out == ""
    figures, reason = said.err.splitlines()
    assert figures.startswith(f"{out}: 4 images in ")
    assert reason == f"error: {photos / '3.png'}: not an image of a known format"


def test_json_lines_are_the_predictions_as_json(bundle, photos):
    out = photos / "said.jsonl"
    assert predict(bundle, photos, "--out", out) == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert lines[3] == {"image": str(photos / "3.png"), "error": "not an image of a known format"}
    assert lines[2]["targets"]["red"]["detected"] is True
    assert "unsure" not in lines[2]["targets"]["red"]


def test_only_strict_makes_an_unreadable_image_a_failure_but_nothing_readable_is_one(bundle, photos):
    assert predict(bundle, photos) == 0
    assert predict(bundle, photos, "--strict") == 1
    assert predict(bundle, photos / "3.png") == 1
    assert predict(bundle, photos / "1.png", "--strict") == 0


def test_of_many_unreadable_images_the_first_are_named_and_the_others_counted(bundle, photos, capsys, monkeypatch):
    monkeypatch.setattr(output_files, "MOST_NAMED", 2)
    predict(bundle, photos / "0.png", *(photos / f"missing{number}.png" for number in range(5)))
    assert capsys.readouterr().err.splitlines()[-2:] == [
        f"error: {photos / 'missing1.png'}: no such file",
        "error: 3 more images can't be read",
    ]


def test_another_suffix_is_refused_and_a_broken_off_run_leaves_nothing(bundle, photos, capsys, monkeypatch):
    assert predict(bundle, photos, "--out", photos / "said.xlsx") == 1
    assert "expected a file name ending in .csv, .parquet, .jsonl" in capsys.readouterr().err

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("lacuna.inference.predictor.Predictor.predict_decoded", fail)
    for suffix in output_files.WRITERS:
        assert predict(bundle, photos, "--out", photos / f"said{suffix}") == 130
    assert not [path for path in photos.iterdir() if path.suffix != ".png"]


def test_a_promise_says_how_much_is_decided_and_where_labels_are_too_few(tmp_path, photos, capsys):
    logits = np.zeros((200, 3), np.float32)
    logits[:100, 1] = 1.0  # blue, stated with .73 and always right; green with .5 and always wrong; red never known
    labels = np.stack([np.ones(200), np.full(200, -1)], axis=1).astype(np.int16)
    test = Predictions(logits, labels, np.arange(200).astype(str), np.arange(200))
    bundle = str(write_tiny_bundle(tmp_path / "bundle", test=test))
    out = photos / "said.csv"
    assert predict(bundle, photos, "--out", out, "--min-precision", 0.95) == 0
    assert [row["colour.unsure"] for row in read(out)] == ["True", "False", "True", None]
    assert [row["red.unsure"] for row in read(out)] == ["True", "True", "True", None]
    assert capsys.readouterr().err.splitlines()[1:4] == [
        "colour: answers by itself for 33% of 3 images",
        "red: answers no image by itself: it takes at least 59 more labelled test images that it calls absent and 59 "
        "more labelled test images that it calls present to promise that, or a lower --min-precision",
        "automation rate: 17% of the cells are answered, as often right as --min-precision asks; the others are unsure",
    ]
    assert predict(bundle, photos / "0.png", "--min-precision", 0.95) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  colour  green  0.50  unsure",
        "  not detected: red 0.27 (unsure)",
    ]


@pytest.mark.parametrize(
    ("cutoffs", "lacking", "said"),
    [
        ((0.8, 0.9), (0, 0), "answers by itself for 88% of 40 images"),
        (
            (0.8, NEVER),
            (0, 12),
            "says absent by itself for 88% of 40 images; present is always unsure: it takes at least 12 more labelled "
            "test images that it calls present to promise that, or a lower --min-precision",
        ),
        (
            (NEVER, 0.7),
            (0, 0),
            "says present by itself for 88% of 40 images; absent is always unsure: even its surest answers of absent "
            "are wrong more often than --min-precision allows",
        ),
    ],
)
def test_a_promise_of_one_side_says_which_side_it_is_and_what_the_other_lacks(cutoffs, lacking, said):
    target = Target("red", "binary", ("absent", "present"))
    assert describe_answers(target, Promise(cutoffs, lacking), 35, 40) == said
    kind = Target("kind", "categorical", ("a", "b", "c"))
    assert describe_answers(kind, Promise((NEVER,), (0,)), 0, 40) == (
        "answers no image by itself: even its surest answers are wrong more often than --min-precision allows"
    )


def test_paths_come_from_standard_input_and_none_is_a_mistake(bundle, photos, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{photos / '2.png'}\n"))
    assert predict(bundle, "-", "--json") == 0
    assert json.loads(capsys.readouterr().out)["images"][0]["targets"]["red"]["decision"] == "present"
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert predict(bundle, "-") == 1
    assert capsys.readouterr().err == "error: no image was named on standard input\n"


def test_names_that_are_no_text_are_written_as_codes(bundle, tmp_path):
    folder = tmp_path / "odd"
    folder.mkdir()
    Image.new("RGB", (32, 32), "red").save(os.fsencode(folder / "b.png").replace(b"b.png", b"b\xe4r.png"))
    for suffix in output_files.WRITERS:
        out = tmp_path / f"said{suffix}"
        assert predict(bundle, folder, "--out", out) == 0
    assert read(tmp_path / "said.csv")[0]["image"] == f"{folder}/b\\xe4r.png"
    assert read(tmp_path / "said.parquet")[0]["red"] == "present"


def test_a_line_break_of_any_kind_in_a_name_stays_in_its_row(bundle, tmp_path):
    folder = tmp_path / "odd"
    folder.mkdir()
    names = ["a\rb.png", "c\nd.png", "e,f.png", 'g"h.png']
    for name in names:
        Image.new("RGB", (32, 32), "red").save(folder / name)
    assert predict(bundle, folder, "--out", tmp_path / "said.csv") == 0
    rows = read(tmp_path / "said.csv")
    assert [row["image"] for row in rows] == [f"{folder}/{name}" for name in names]
    assert [row["red"] for row in rows] == ["present"] * 4
    assert b"\r\n" not in (tmp_path / "said.csv").read_bytes()


def test_options_that_would_do_nothing_or_can_not_be_met_are_refused(bundle, photos, capsys):
    assert predict(bundle, photos, "--certainty", 2) == 1
    assert "certainty: expected a number between 0 and 1, received 2.0" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        predict(bundle, photos, "--json", "--out", photos / "said.csv")
    (photos / "folder.csv").mkdir()
    assert predict(bundle, photos / "0.png", "--out", photos / "folder.csv") == 1
    assert capsys.readouterr().err.endswith(f"error: {photos / 'folder.csv'}: a folder; name a file to write\n")


def test_a_null_character_in_a_path_is_a_reason(bundle, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("a\0b\n"))
    assert predict(bundle, "-") == 1
    assert "no possible file name: it holds a null character" in capsys.readouterr().err


@pytest.mark.parametrize("odd", ["a\rb", "a\nb", 'a",b'])
def test_a_line_end_in_a_files_name_makes_no_second_row(bundle, tmp_path, odd, capsys):
    folder = tmp_path / "odd"
    folder.mkdir()
    Image.new("RGB", (32, 32), "red").save(folder / f"{odd}.png")
    (folder / f"{odd}.jpg").touch()
    for suffix in (".csv", ".parquet"):
        assert predict(bundle, folder, "--out", tmp_path / f"said{suffix}") == 0
        rows = read(tmp_path / f"said{suffix}")
        assert [row["image"] for row in rows] == [str(folder / f"{odd}.jpg"), str(folder / f"{odd}.png")]
        assert [row["colour"] for row in rows] == [None, "green"]
    predict(bundle, folder)
    said = capsys.readouterr()
    assert "\r" not in said.out + said.err
    assert len([line for line in said.err.split("\n") if line.endswith("empty file")]) == 3
