"""Label Studio's exports, counted by hand: JSON, JSON_MIN and CSV, and what must not become a label."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from lacuna.data.labels.sources.label_studio import read_label_studio
from tests.label_sources import cells, mutations, read_with, refusal, survives, words_of


def answer(control: str, kind: str, *words: str) -> dict[str, Any]:
    return {"id": "x", "from_name": control, "to_name": "image", "type": kind, "value": {"x": 1.5, kind: list(words)}}


def task(image: str, *annotations: list[dict[str, Any]], **changes: object) -> dict[str, Any]:
    made = [{"id": 1, "result": result, "was_cancelled": False, "ground_truth": False} for result in annotations]
    return {"id": 5, "data": {"image": image}, "annotations": made, "predictions": [], **changes}


TASKS = [
    task("a.jpg", [answer("side", "choices", "left"), answer("pattern", "choices", "dots", "stripes")]),
    task(
        "b.jpg",
        [answer("side", "choices", "right"), answer("pattern", "choices", "dots")],
        [answer("side", "choices", "left"), answer("box", "rectanglelabels", "boot")],
    ),
    task(
        "c.jpg", [answer("box", "polygonlabels", "boot"), answer("box", "polygonlabels", "hat"), {"type": "relation"}]
    ),
    task("d.jpg", [], predictions=[{"result": [answer("side", "choices", "left")]}]),
    task("e.jpg", predictions=[{"result": [answer("side", "choices", "left")]}]),
]


def write(folder: Path, content: object, name: str = "export.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_choices_and_objects_of_each_annotation(tmp_path: Path) -> None:
    found = read_with(read_label_studio, write(tmp_path, TASKS))
    kinds = {"side": "categorical", "dots": "binary", "stripes": "binary", "boot": "binary", "hat": "binary"}
    assert found.targets == kinds
    assert words_of(found.image) == ["a.jpg", "b.jpg", "b.jpg", "c.jpg", "d.jpg"]  # nobody annotated e.jpg
    assert cells(found) == {
        "side": ["left", "right", "left", "", ""],
        "dots": ["present", "present", "absent", "absent", "absent"],
        "stripes": ["present", "absent", "absent", "absent", "absent"],
        "boot": ["absent", "absent", "present", "present", "absent"],
        "hat": ["absent", "absent", "absent", "present", "absent"],
    }


def test_targets_choose_a_choice_and_the_one_class_of_an_image(tmp_path: Path) -> None:
    chosen = {"left": "binary", "box": "categorical"}
    found = read_with(read_label_studio, write(tmp_path, TASKS), targets=chosen)
    assert cells(found) == {"left": ["present", "absent", "present", "", ""], "box": ["", "", "boot", "", ""]}
    assert "1 image with several words of 'box': unknown in it" in found.notes
    assert "no 'hats' (data.targets); there are 'side', 'dots'" in refusal(
        read_label_studio, write(tmp_path, TASKS), targets={"hats": "binary"}
    )


def test_cancelled_annotations_are_none_and_ground_truth_outweighs_the_others(tmp_path: Path) -> None:
    left, right = ([answer("side", "choices", word)] for word in ("left", "right"))
    cancelled, truth, skipped = task("a.jpg", left, right), task("b.jpg", left, right), task("c.jpg", left)
    cancelled["annotations"][0]["was_cancelled"] = True
    truth["annotations"][1]["ground_truth"] = True
    skipped["annotations"][0]["skipped"] = True
    found = read_with(read_label_studio, write(tmp_path, [cancelled, truth, skipped]))
    assert words_of(found.image) == ["a.jpg", "b.jpg"]
    assert cells(found) == {"side": ["right", "right"]}


MIN = [
    {"image": "a.jpg", "note": "from Anna", "id": 1, "side": "left", "pattern": {"choices": ["dots", "stripes"]},
     "box": [{"x": 1, "rectanglelabels": ["boot"]}], "annotator": 1, "annotation_id": 7, "lead_time": 1.5},
    {"image": "b.jpg", "note": "from Ben", "id": 2, "side": "right", "pattern": "dots", "stars": [{"rating": 3}],
     "annotator": 1, "annotation_id": 8, "lead_time": 1.5},
    {"image": "c.jpg", "note": "", "id": 3, "annotator": "", "annotation_id": None, "lead_time": None},
]  # fmt: skip

CSV = (
    "image,note,id,side,pattern,box,annotator,annotation_id,lead_time\n"
    'a.jpg,"from\nAnna",1,left,"{""choices"": [""dots"", ""stripes""]}",'
    '"[{""x"": 1, ""rectanglelabels"": [""boot""]}]",1,7,1.5\n'
    "b.jpg,from Ben,2,right,dots,,1,8,1.5\n"
    "c.jpg,,3,,,,,,\n"
)

EXPECTED = {
    "side": ["left", "right"],
    "dots": ["present", "present"],
    "stripes": ["present", "absent"],
    "boot": ["present", "absent"],
}


@pytest.mark.parametrize(
    "content", [MIN, CSV, CSV.replace(",", "\t").replace("\t ", ", ").replace('"\t""rect', '",""rect')]
)
def test_json_min_csv_and_tsv_say_the_same(tmp_path: Path, content: object) -> None:
    found = read_with(read_label_studio, write(tmp_path, content))
    assert words_of(found.image) == ["a.jpg", "b.jpg"]
    assert cells(found) == EXPECTED
    assert found.line.tolist() == ([2, 4] if isinstance(content, str) else [0, 0])
    assert any("fields stand before id" in note and "'note'" in note for note in found.notes)


def test_what_is_not_read_is_noted(tmp_path: Path) -> None:
    notes = read_with(read_label_studio, write(tmp_path, MIN)).notes
    assert notes[0] == "1 controls are neither choices nor labels and are not read: 'stars (others)'"
    chosen = read_with(read_label_studio, write(tmp_path, MIN), targets={"note": "categorical"})
    assert cells(chosen) == {"note": ["from Anna", "from Ben"]}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("/data/local-files/?d=photos/a%20b.jpg", "photos/a b.jpg"),
        ("http://localhost:8080/data/local-files/?d=x.jpg&t=1", "x.jpg"),
        ("/data/upload/1/ab12cd34-name.jpg", "name.jpg"),
        ("http://host/data/upload/12/ab12cd34-name.jpg", "name.jpg"),
        ("/data/upload/1/ab12cd34-photo_1.jpg", "photo (1).jpg"),  # as an upload writes its name
        ("/data/upload/1/0123abcd-kept.jpg", "/data/upload/1/0123abcd-kept.jpg"),  # its own name
        ("ab12cd34-name.jpg", "ab12cd34-name.jpg"),
        ("/tasks/3/resolve/?fileuri=" + base64.b64encode(b"s3://b/x.jpg").decode(), "s3://b/x.jpg"),
        ("s3://bucket/a/b.jpg", "s3://bucket/a/b.jpg"),
        ("https://host/a.jpg?size=9", "https://host/a.jpg?size=9"),
        ("http://[broken/a.jpg", "http://[broken/a.jpg"),
    ],
)
def test_what_the_tool_adds_to_names_is_taken_off(tmp_path: Path, given: str, name: str) -> None:
    images = ["x/photo (1).jpg", "name.jpg", "0123abcd-kept.jpg"]
    path = write(tmp_path, [task(given, [answer("side", "choices", "left")])])
    assert words_of(read_with(read_label_studio, path, images).image) == [name]


def test_the_image_is_the_named_field_or_the_only_one_that_is_called_like_one(tmp_path: Path) -> None:
    both = task("", [answer("side", "choices", "left")]) | {"data": {"front": "f.jpg", "back": "b.PNG", "name": "n"}}
    path = write(tmp_path, [both])
    assert "several images, in 'front', 'back'; data.image_column must name" in refusal(read_label_studio, path)
    assert words_of(read_with(read_label_studio, path, image_column="back").image) == ["b.PNG"]
    del both["data"]["back"]
    assert words_of(read_with(read_label_studio, write(tmp_path, [both])).image) == ["f.jpg"]


GOOD = answer("side", "choices", "left")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty, expected a Label Studio export"),
        ("<View/>", "this is XML with the root <View>; expected a Label Studio export"),
        ('{"images": []}', "a JSON object with 'images'; expected a Label Studio export"),
        ("image,label\na.jpg,x\n", "this is text that begins with 'image,label'; expected a Label Studio export"),
        ("[]", "none of its 0 tasks is annotated"),
        ([TASKS[4]], "none of its 1 tasks is annotated; predictions and skipped tasks do not count"),
        ([7], ":1: item 1: expected an object as a task, received a number"),
        ([{"image": "a.jpg", "class": "x"}], "item 1: no task of Label Studio: it has 'image', 'class'"),
        ([task("a.jpg") | {"annotations": [12]}], "annotations are given by number alone"),
        ([task("a.jpg") | {"annotations": {}}], "expected a list as annotations, received an object"),
        ([task("a.jpg") | {"annotations": [{"result": 1}]}], "expected a list as result, received a number"),
        ([task("a.jpg", [GOOD | {"from_name": 1}])], "expected a text as from_name, received a number"),
        ([task("a.jpg", [GOOD | {"value": "left"}])], "expected an object as value, received the text 'left'"),
        ([task("a.jpg", [GOOD | {"value": {"choices": "left"}}])], "expected a list as choices, received the text"),
        ([task("a.jpg", [GOOD | {"value": {"choices": [3]}}])], "expected a text as choices, received a number"),
        ([TASKS[0], task("a.jpg", [GOOD]) | {"data": {}}], "item 2: no field with an image; data.image_column must"),
        ([task("a.jpg", [GOOD]) | {"data": {"image": 3}}], "expected an image's name in 'image', received a number"),
        ('[\n{"id": NaN}]', ":2: NaN is no JSON value"),
        ('[{"data": {"a": 1, "a": 2}}]', "the key 'a' stands twice in one object"),
        ("[" * 100_000, "nested too deep"),
        (CSV + "d.jpg,x\n", ":6: 2 cells, the header has 9; is it cut off?"),
        (CSV + '"d.jpg', ":6: not valid CSV (unexpected end of data)"),
        (CSV.replace("boot", "x" * 200_000), ":2: not valid CSV (field larger than field limit (131072))"),
        (CSV.replace("[{", "[{{"), ":2: not valid JSON"),
        (CSV.replace("note", "image"), ":1: more than one column 'image'"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "JSON",
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, content: object, message: str) -> None:
    assert message in refusal(read_label_studio, write(tmp_path, content))


def test_every_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    text = json.dumps(TASKS)
    for end in range(1, len(text), 23):
        assert "cut off" in refusal(read_label_studio, write(tmp_path, text[:end]))


@pytest.mark.parametrize("document", [TASKS, MIN], ids=["JSON", "JSON_MIN"])
def test_whatever_is_wrong_with_a_document_it_is_read_or_refused_in_one_line(
    document: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    @given(text=mutations(document))
    def check(text: str) -> None:
        survives(read_label_studio, write(tmp_path_factory.getbasetemp(), text))

    check()
