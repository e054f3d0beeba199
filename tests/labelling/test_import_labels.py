"""Label Studio's exports, written by hand as its server 1.23 writes them, as corrections."""

import csv
import json
from pathlib import Path

import pytest

from lacuna.cli import main
from lacuna.config.load import load_params


def choice(name, *words, **value):
    return {"from_name": name, "to_name": "image", "type": "choices", "value": {"choices": list(words), **value}}


def annotation(*result, by=1, skipped=False, started_from=None):
    return {
        "id": 7,
        "completed_by": by,
        "result": list(result),
        "was_cancelled": skipped,
        "prediction": {} if started_from is None else {"result": started_from},
    }


def task(path, *annotations, number=1, **data):
    return {
        "id": number,
        "annotations": list(annotations),
        "predictions": [],
        "data": {"hint": "To label: 3.png", "name": path, "image": f"/data/local-files/?d=x/photos/{path}"} | data,
    }


def bring(content, capsys, code=0):
    text = content if isinstance(content, str) else json.dumps(content)
    Path("export.json").write_text(text, encoding="utf-8")
    assert main(["label-studio", "import", "export.json"]) == code
    said = capsys.readouterr()
    return said.err if code else said.out + said.err


def rows(file="corrections/label_studio.csv"):
    with open(file, encoding="utf-8", newline="") as opened:
        return [tuple(row) for row in csv.reader(opened)][1:]


def test_choices_become_rows_with_what_the_labels_are_now(project, capsys):
    said = bring(
        [
            task("a%20b/1.png", annotation(choice("colour", "blue"), choice("red", "present"))),
            task("a%20b/2.png", annotation(choice("colour", "blue"), choice("red", "absent"))),
            task("3.png", annotation(choice("colour", "blue"))),  # as it is
            task("50%25%26%C3%A9.png", annotation(choice("colour", "green"), skipped=True), annotation()),
        ],
        capsys,
    )
    assert rows() == [
        ("a b/1.png", "colour", "NA", "blue"),
        ("a b/1.png", "red", "NA", "present"),
        ("a b/2.png", "colour", "green", "blue"),
        ("a b/2.png", "red", "NA", "absent"),
    ]
    assert "4 labels added (colour 2, red 2); 1 cell is labelled like this already" in said
    assert "data.corrections is corrections/label_studio.csv now" in said
    assert load_params(Path("params.yaml")).data.corrections == "corrections/label_studio.csv"


def test_the_same_export_again_adds_nothing_and_a_later_one_continues(project, capsys):
    bring([task("3.png", annotation(choice("colour", "green")))], capsys)
    before = Path("corrections/label_studio.csv").read_bytes()
    assert "no new label; 1 cell is" in bring([task("3.png", annotation(choice("colour", "green")))], capsys)
    assert Path("corrections/label_studio.csv").read_bytes() == before
    bring([task("3.png", annotation(choice("colour", "blue")))], capsys)
    assert rows() == [("3.png", "colour", "blue", "green"), ("3.png", "colour", "green", "blue")]


def test_rows_are_added_to_the_corrections_that_params_name(project, capsys):
    from tests.tiny_project import change_params

    change_params(Path(), {"data.corrections": "corrections/mine.csv"})
    mine = "image,target,given,corrected,why\r\n3.png,red,present,0,blurred\r\n5.png,red,absent,"
    Path("corrections/mine.csv").write_text(mine, newline="")
    said = bring([task("3.png", annotation(choice("red", "present"))), task("6.png", annotation())], capsys)
    assert Path("corrections/mine.csv").read_bytes() == (mine + "\n3.png,red,0,present\n").encode()
    assert "params.yaml" not in said


def test_annotators_who_contradict_each_other_make_a_cell_unknown_and_are_named(project, capsys):
    said = bring(
        [
            task(
                "3.png",
                annotation(choice("colour", "green"), choice("red", "present"), by={"email": "ann@example.org"}),
                annotation(choice("colour", "blue"), choice("red", "present"), by=2),
            ),
            task("6.png", annotation(choice("colour", "green", "blue"))),
            task("a%20b/1.png", annotation(choice("colour", "green")), number=8),
            task("a%20b/1.png", annotation(choice("colour", "blue")), number=9),
        ],
        capsys,
    )
    assert rows() == [("3.png", "colour", "blue", "NA"), ("6.png", "colour", "blue", "NA")]
    first = "warning: colour of 3.png is labelled green (annotator ann@example.org), blue (annotator 2): unknown"
    assert first in said.splitlines()
    assert "colour of 6.png is labelled green (annotator 1), blue (annotator 1): unknown" in said
    assert "colour of a b/1.png is labelled" in said  # unknown it was, and stays
    assert said.count("unknown\n") == 3


def test_a_label_taken_out_of_what_was_filled_in_becomes_unknown_and_one_never_given_stays(project, capsys):
    filled = [choice("colour", "blue"), choice("red", "present")]
    bring(
        [
            task("3.png", annotation(choice("red", "present"), started_from=filled)),
            task("6.png", annotation(choice("red", "present"))),
            task("a%20b/2.png", annotation(choice("red", "present"), started_from=filled)),  # green: a suggestion
        ],
        capsys,
    )
    assert rows() == [("3.png", "colour", "blue", "NA"), ("a b/2.png", "red", "NA", "present")]


def test_the_short_export(project, capsys):
    common = {"hint": "", "annotator": 1, "annotation_id": 5, "created_at": "", "lead_time": 1.5}
    image = "/data/local-files/?d=photos"
    bring(
        [
            {"id": 1, "image": f"{image}/3.png", "colour": "green", "name": "3.png", **common},
            {"id": 2, "image": f"{image}/6.png", "red": {"choices": ["absent", "present"]}, **common},
        ],
        capsys,
    )
    assert rows() == [("3.png", "colour", "blue", "green"), ("6.png", "red", "present", "NA")]


@pytest.mark.parametrize(
    ("address", "image"),
    [
        ("https://example.org/photos/a%20b/1.png?token=1#x", "a b/1.png"),
        ("http://localhost:8080/data/local-files/?d=a%20b/1.png", "a b/1.png"),
        ("s3://bucket/deep/50%25%26%C3%A9.png", "50%&é.png"),
        ("/data/upload/3/0a1b2c3d-5.png", "5.png"),
        ("C:\\photos\\a b\\1.png", "a b/1.png"),
        ("2.png", "a b/2.png"),  # the only image that ends so
    ],
)
def test_images_are_found_by_the_end_of_the_address(project, capsys, address, image):
    bring([task("", annotation(choice("red", "present"), choice("colour", "blue")), image=address)], capsys)
    assert {row[0] for row in rows()} == {image}


def test_what_is_not_of_the_project_is_named_and_left_out(project, capsys):
    region = choice("red", "present", x=1, y=2, width=3, height=4)
    box = {"from_name": "box", "to_name": "image", "type": "rectanglelabels", "value": {"rectanglelabels": ["red"]}}
    said = bring(
        [
            task("3.png", annotation(choice("colour", "green"), region, box, choice("mood", "good"))),
            task("other.png", annotation(choice("red", "present"))),
        ],
        capsys,
    )
    assert rows() == [("3.png", "colour", "blue", "green")]
    assert "1 annotation is of no labelled image and left out: /data/local-files/?d=x/photos/other.png" in said
    assert "choices that are of no target are left out: mood" in said


def test_a_picture_in_the_task_itself_is_no_address_and_takes_no_time(project, capsys):
    inline = "data:image/png;base64," + "/9j/4AAQ" * 500_000
    said = bring([task("3.png", annotation(choice("colour", "green")), photo=inline, image=inline)], capsys)
    assert rows() == [("3.png", "colour", "blue", "green")]  # by the name beside it
    long = "/data/local-files/?d=" + "folder/" * 500 + "other.png"
    both = [task("3.png", annotation()), task("", annotation(), image=long)]
    assert len(bring(both, capsys)) < 300
    assert "warning" not in said


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image,red\n3.png,1\n", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("{}", "expected a list of tasks"),
        ([5], "task 1 of the file is not as Label Studio writes it"),
        ([{"id": 1, "data": {}}], "task 1 of the file is not as Label Studio writes it"),
        ([task("3.png", {"id": 1})], "task 1 of the file is not as Label Studio writes it (KeyError: 'result')"),
        ([task("3.png", annotation(choice("red", 5)))], "choices of red: expected a list of words"),
        ([task("other.png", annotation(choice("red", "present")))], "no task is of a labelled image"),
        (
            [task("3.png", annotation(choice("colour", "mauve")), number=12)],
            "export.json: task 12: 'mauve' is no class of colour, expected one of green, blue",
        ),
        (
            [task("1/3.png", annotation()), task("2/3.png", annotation())],
            "task 1: two addresses end like the image 3.png: x/photos/1/3.png, x/photos/2/3.png",
        ),
    ],
)
def test_a_mistake_writes_nothing(project, capsys, content, message):
    good = task("6.png", annotation(choice("red", "absent")))
    said = bring(content if isinstance(content, str) or "no task" in message else [*content, good], capsys, code=1)
    assert said.startswith("error: ")
    assert message in said
    assert len(said.splitlines()) == 1
    assert len(said) < 600
    assert not list(Path("corrections").iterdir())
    assert load_params(Path("params.yaml")).data.corrections == ""


def test_the_corrections_pass_prepares_own_check(project, capsys):
    """A word of data.positive is taken as the class, and `given` is what prepare compares with."""
    from lacuna.core.manifest import Manifest
    from lacuna.core.targets import Targets
    from lacuna.data.labels.corrections import read_corrections, resolve
    from lacuna.data.labels.encode import Encoded

    bring([task("3.png", annotation(choice("red", "no"))), task("5.png", annotation(choice("red", "NA")))], capsys)
    file = Path("corrections/label_studio.csv")
    assert rows() == [("3.png", "red", "present", "absent"), ("5.png", "red", "absent", "NA")]
    targets = Targets.load(Path("data/prepared/targets.json"))
    manifest = Manifest.load(Path("data/prepared/manifest.csv"), targets)
    words = {
        target.name: {
            row: None if index < 0 else target.classes[index]
            for row, index in enumerate(manifest.labels[:, column].tolist())
        }
        for column, target in enumerate(targets)
    }
    encoded = Encoded(targets, manifest.labels, {}, {name: {} for name in targets.names}, words)
    names = {name: row for row, name in enumerate(manifest.image.tolist())}
    checked = resolve(file, read_corrections(file), names, encoded, project.data)
    assert checked.counts == {"colour": 0, "red": 2}
