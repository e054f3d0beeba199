"""What is written for Label Studio: the config, and the tasks in order with what the model says."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lacuna.cli import main
from lacuna.core.manifest import Manifest
from lacuna.core.targets import TOO_RARE, Target, Targets
from lacuna.errors import LacunaError
from lacuna.io.atomic import read_json
from lacuna.labelling.label_config import label_config, read_controls
from tests.labelling.conftest import write_to_label
from tests.tiny_project import change_params

ODD = ("a<b", 'say "x"', "R&D", "it's", "$5", "漢字 🐕", "]]>", " name=", "--", "  two  blanks")


def export(*options):
    return main(["label-studio", "export", "--out", "studio", *map(str, options)])


def tasks():
    return read_json(Path("studio/tasks.json"))


def regions(task):
    (prediction,) = task["predictions"]
    return {one["from_name"]: (one["value"]["choices"], one.get("score")) for one in prediction["result"]}


def mistake(capsys, *options):
    assert export(*options) == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_tasks_come_in_the_audits_order_with_labels_predictions_and_scores(project, tmp_path, capsys):
    assert export() == 0
    second, first = tasks()
    assert second["data"] == {
        "image": "/data/local-files/?d=photos/a%20b/2.png",
        "name": "a b/2.png",
        "hint": "To label: red; colour is labelled green, is it blue?",
        "value": 0.99,
    }
    assert regions(second) == {"colour": (["green"], None), "red": (["absent"], 0.7311)}  # given, then sigmoid(1)
    assert first["data"]["hint"] == "To label: colour"
    assert regions(first) == {"colour": (["blue"], 0.5498), "red": (["present"], 0.7311)}  # softmax of 0 and 0.2
    assert [one["predictions"][0]["score"] for one in (second, first)] == [0.7311, 0.5498]
    said = capsys.readouterr().out
    assert said.startswith("studio: 2 images, 3 cells to label; predictions of ")
    version = said.splitlines()[0].rpartition(" ")[2]
    assert {one["predictions"][0]["model_version"] for one in (second, first)} == {f"lacuna-{version}"}
    assert f"LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={tmp_path} label-studio start" in said
    assert f"Local Files: {tmp_path}/photos" in said


def test_a_cell_whose_class_was_too_rare_is_neither_asked_about_nor_answered(project):
    where, targets = Path("data/prepared/manifest.csv"), Targets.load(Path("data/prepared/targets.json"))
    manifest = Manifest.load(where, targets)
    manifest.labels[1, 1] = TOO_RARE  # red of a b/2.png, which the audit listed before
    manifest.save(where, targets)
    write_to_label([("a b/2.png", "red", "NA", "", "", 0.99), ("a b/2.png", "colour", "green", "", "blue", 0.5)])
    assert export() == 0
    (task,) = tasks()
    assert task["data"]["hint"] == "colour is labelled green, is it blue?"
    assert regions(task) == {"colour": (["green"], None)}


def test_the_best_of_many_and_the_rest_is_counted(project, capsys):
    assert export("--tasks", 1) == 0
    assert [task["data"]["name"] for task in tasks()] == ["a b/2.png"]
    assert "1 image, 2 cells to label, 1 more image is left" in capsys.readouterr().out


def test_label_issues_are_asked_about_with_the_given_label_chosen(project):
    assert export("--table", "label_issues") == 0
    doubted, _ = tasks()
    assert doubted["data"]["hint"] == "colour is labelled blue, is it green?"
    assert doubted["data"]["quality"] == 0.1
    assert regions(doubted) == {"colour": (["blue"], None), "red": (["present"], None)}


def test_cells_that_were_labelled_since_the_audit_are_left_out(project, capsys):
    write_to_label([("3.png", "red", "NA", "", "", 0.9), ("gone.png", "red", "NA", "", "", 0.8)])
    assert "no cell to label" in mistake(capsys)
    write_to_label([("3.png", "red", "NA", "", "", 0.9), ("50%&é.png", "colour", "NA", "", "", 0.8)])
    assert export() == 0
    (task,) = tasks()
    assert task["data"]["image"] == "/data/local-files/?d=photos/50%25%26%C3%A9.png"


def test_addresses_below_another_root_or_on_the_web(project, tmp_path, capsys):
    assert export("--local-files-root", tmp_path.parent) == 0
    assert tasks()[0]["data"]["image"] == f"/data/local-files/?d={tmp_path.name}/photos/a%20b/2.png"
    assert export("--url-prefix", "https://example.org/p/") == 0
    assert tasks()[0]["data"]["image"] == "https://example.org/p/a%20b/2.png"
    assert "LOCAL_FILES" not in capsys.readouterr().out.rpartition("studio: ")[2]
    assert "expected a folder above data.path, photos" in mistake(capsys, "--local-files-root", "photos")
    assert "expected an address such as https://host/photos" in mistake(capsys, "--url-prefix", "javascript:x")


def test_a_folder_above_the_images_serves_where_they_lie_elsewhere(project, tmp_path, tmp_path_factory, capsys):
    other = tmp_path_factory.mktemp("elsewhere")
    (tmp_path / "photos").rename(other / "pictures")
    change_params(tmp_path, {"data.path": f"{other}/x/../pictures"})
    (other / "x").mkdir()
    assert export() == 0
    assert tasks()[0]["data"]["image"] == "/data/local-files/?d=pictures/a%20b/2.png"
    assert f"DOCUMENT_ROOT={other} " in capsys.readouterr().out


def test_nothing_else_is_overwritten_and_nothing_half_written_is_left(project, capsys):
    assert export() == 0
    before = Path("studio/tasks.json").read_bytes()
    assert export() == 0
    assert Path("studio/tasks.json").read_bytes() == before
    Path("photos/a b/1.png").write_text("no picture any more")
    assert "a b/1.png: not an image of a known format" in mistake(capsys)
    assert Path("studio/tasks.json").read_bytes() == before
    assert [path.name for path in Path().glob("studio*")] == ["studio"]
    Path("studio/mine.txt").touch()
    assert "holds other files than a labelling project's" in mistake(capsys)


def test_what_is_missing_is_named(project, capsys):
    assert "--tasks: expected at least 1, received 0" in mistake(capsys, "--tasks", 0)
    assert "no/bundle" in mistake(capsys, "--bundle", "no/bundle")
    Path("data/audit/to_label.csv").unlink()
    assert "data/audit/to_label.csv: no such file; run dvc repro audit" in mistake(capsys)
    Path("data/audit/to_label.csv").write_text("image,target\n1.png,red\n")
    assert "expected the columns image,target,given,corrected" in mistake(capsys)
    one_target = {"data.targets": {"colour": "categorical"}, "data.group_column": ""}
    change_params(Path(), {"data.source": "idx", "data.labels": "photos", **one_target})
    assert "data.source is idx" in mistake(capsys)


def test_the_config_has_choices_for_each_target_and_escapes_what_they_are_called():
    targets = Targets((Target('is "R&D" <new>', "binary", ("absent", "present")), Target("$", "categorical", ODD)))
    text = label_config(targets)
    root = ElementTree.fromstring(text)
    (image,) = root.iter("Image")
    assert image.attrib["name"] == "image"
    assert image.attrib["value"] == "$image"
    choices = list(root.iter("Choices"))
    assert [one.attrib["name"] for one in choices] == list(targets.names)
    assert {(one.attrib["toName"], one.attrib["choice"]) for one in choices} == {("image", "single")}
    assert [[word.attrib["value"] for word in one] for one in choices[:1]] == [["absent", "present"]]
    assert [word.attrib.get("alias", word.attrib["value"]) for word in choices[1]] == list(ODD)
    assert not any("$" in word.attrib["value"] for word in choices[1])  # Label Studio would look for a variable
    assert [control.choices for control in read_controls(text)] == [list(target.classes) for target in targets]


def test_a_class_that_xml_cannot_hold_is_named():
    with pytest.raises(LacunaError, match="of kind: XML cannot hold it"):
        label_config(Targets((Target("kind", "categorical", ("a", "b\uffff")),)))


def test_a_config_of_many_nested_tags_is_read_in_time():
    deep = "<View>" * 50_000 + "<Choice/>" * 50_000 + "</View>" * 50_000
    assert read_controls(deep) == []


def test_no_number_that_json_lacks(project):
    assert export() == 0
    json.loads(Path("studio/tasks.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
