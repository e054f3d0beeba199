"""COCO's JSON: which category is in which image, counted by hand, and files that are something else."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from lacuna.data.labels.sources.coco import read_coco
from lacuna.init.find_labels import guess_source
from tests.label_sources import cells, mutations, read_with, refusal, survives, words_of

COCO: dict[str, Any] = {
    "info": {"year": 2017},
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 2, "bbox": [1, 2, 3, 4], "iscrowd": 0},
        {"id": 2, "image_id": 7, "category_id": 2, "segmentation": [[1.5, 2, 3, 4]]},
        {"id": 3, "image_id": 7, "category_id": 1, "iscrowd": 1},
        {"id": 4, "image_id": "b", "category_id": 1},
    ],
    "images": [
        {"id": 7, "file_name": "val/a.jpg"},
        {"id": "b", "file_name": "b.jpg"},
        {"id": 9, "file_name": "c.jpg"},
    ],
    "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "big.dog"}, {"id": 3, "name": "cow"}],
}


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    return write(tmp_path, COCO)


def write(folder: Path, content: object) -> Path:
    path = folder / "instances.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_a_category_is_present_where_an_annotation_has_it_and_absent_in_all_other_images(coco: Path) -> None:
    found = read_with(read_coco, coco)
    assert found.targets == {"cat": "binary", "big_dog": "binary"}
    assert words_of(found.image) == ["val/a.jpg", "b.jpg", "c.jpg"]
    assert cells(found) == {
        "cat": ["present", "present", "absent"],  # a crowd counts
        "big_dog": ["present", "absent", "absent"],
    }
    assert found.line.tolist() == [0, 0, 0]


def test_what_a_user_should_know_is_noted(coco: Path) -> None:
    never, bare, renamed, rare = read_with(read_coco, coco).notes
    assert never == "1 label is declared and never used, and so no target: 'cow'"
    assert bare == "1 of 3 images have no annotation and count as having none of the objects"
    assert "big.dog is big_dog" in renamed
    assert "'cat: 2 / 1', 'big_dog: 1 / 2'" in rare
    assert not any("rarely" in note for note in read_with(read_coco, coco, min_class_count=1).notes)


def test_targets_choose_a_category_an_unused_one_and_the_one_category_of_an_image(coco: Path) -> None:
    found = read_with(read_coco, coco, targets={"cow": "binary", "category": "categorical"})
    assert cells(found) == {"cow": ["absent"] * 3, "category": ["", "cat", ""]}
    assert "1 image with several words of 'category': unknown in it" in found.notes


def test_pretty_printed_files_name_lines(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps(COCO, indent=1))
    lines = path.read_text().splitlines()
    assert [lines[line - 1].strip() for line in read_with(read_coco, path).line] == ["{"] * 3


def test_images_of_annotations_that_are_not_listed_are_counted(tmp_path: Path) -> None:
    content = COCO | {"annotations": [*COCO["annotations"], {"image_id": 99, "category_id": 3}]}
    found = read_with(read_coco, write(tmp_path, content))
    assert "1 annotation is of images that the file does not list, and left out" in found.notes
    assert list(found.targets) == ["cat", "big_dog"]


def test_panoptic_segments_count(tmp_path: Path) -> None:
    content = COCO | {"annotations": [{"image_id": 9, "segments_info": [{"category_id": 3}, {"category_id": 1}]}]}
    found = cells(read_with(read_coco, write(tmp_path, content)))
    assert found == {"cat": ["absent", "absent", "present"], "cow": ["absent", "absent", "present"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty, expected COCO's JSON object"),
        ("id,name\n1,cat\n", "this is text that begins with 'id,name'; expected COCO's"),
        ("<annotation/>", "this is XML with the root <annotation>"),
        ("[]", "this is a JSON array; expected COCO's"),
        ('[{"category_id": 1, "score": 0.5}]', "a JSON array of detections without their images"),
        ('[{"annotations": []}]', "maybe Label Studio's (data.source: label_studio)"),
        ("{}", "no images, there are no keys"),
        ('{"images": [], "labels": []}', "no annotations, there are 'images', 'labels'"),
        ('{"images": 1, "annotations": [], "categories": []}', ":1: images: expected a list as images, received"),
        (COCO | {"images": [7]}, ":1: images item 1: expected an object as one of the images, received a number"),
        (COCO | {"images": [{"id": 1}]}, "images item 1: expected a text as file_name, received null"),
        (COCO | {"images": [{"id": True, "file_name": "a"}]}, "expected a whole number or a text as id, received true"),
        (COCO | {"images": COCO["images"] * 2}, "images item 4: the id stands at another image above"),
        (COCO | {"categories": [{"id": 1, "name": 5}]}, "item 1: expected a text as name, received a number"),
        (COCO | {"categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}, "item 2: the id stands at another"),
        (COCO | {"categories": COCO["categories"][:1]}, ":1: annotations item 1: its category_id is none of the 1"),
        (COCO | {"annotations": []}, "nothing in it is labelled"),
        (COCO | {"images": [], "annotations": []}, "no image in it is annotated"),
        ('{"images": [{"id": NaN}]}', ":1: NaN is no JSON value"),
        ('{"images": [{"id": -Infinity}]}', ":1: -Infinity is no JSON value"),
        ('{"images":\n[{"id": 1, "id": 2}]}', ":2: the key 'id' stands twice in one object"),
        ('{"images": [],\n"images": []}', ":2: the key 'images' stands twice in one object"),
        ('{"images": [' + "[" * 100_000, "nested too deep"),
        ('{"info": [1,]}', "not valid JSON: Expecting value"),
        ('{"info": [1 2]}', "not valid JSON: expected ']', received '2'"),
        ("{'images': []}", "expected a key in double quotes"),
        ('{"images": []}{"images": []}', "text behind the end of the document"),
        ('{"info": [' + "1" * 5000 + "]}", "a number of too many digits"),
        (COCO | {"images": [{"id": 1, "file_name": "\ud800"}]}, "holds half a character"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "COCO",
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, content: object, message: str) -> None:
    assert message in refusal(read_coco, write(tmp_path, content))


def test_wrong_encodings_are_named_and_utf_16_is_read(tmp_path: Path) -> None:
    path = tmp_path / "instances.json"
    path.write_bytes(json.dumps(COCO, indent=1).replace("cow", "k\u00fc").encode("latin-1"))
    assert "not UTF-8 text (byte 0xfc)" in refusal(read_coco, path)
    path.write_bytes(b"PK\x03\x04" + b"x" * 50)
    assert "this is a ZIP archive or an Excel file; unpack it" in refusal(read_coco, path)
    path.write_bytes(b'{"images": [], "\0": 1}')
    assert ":1: a zero byte" in refusal(read_coco, path)
    path.write_text(json.dumps(COCO), encoding="utf-16")
    assert len(read_with(read_coco, path)) == 3
    assert "no such file" in refusal(read_coco, tmp_path / "no.json")
    assert "a folder" in refusal(read_coco, tmp_path)


def test_every_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    text = json.dumps(COCO)
    for end in range(1, len(text), 7):
        assert "cut off" in refusal(read_coco, write(tmp_path, text[:end]))


def test_a_value_of_200_levels_that_nobody_asks_for_is_no_matter(tmp_path: Path) -> None:
    deep: Any = []
    for _ in range(200):
        deep = [deep]
    assert len(read_with(read_coco, write(tmp_path, COCO | {"licenses": deep, "x": {"y": deep}}))) == 3


def test_names_that_differ_by_case_or_cannot_be_names_stay_apart(tmp_path: Path) -> None:
    names = ["Cat", "cat", "a/b", "a.b", "image", "x" * 300, "  "]
    categories = [{"id": number, "name": name} for number, name in enumerate(names[:-1])]
    annotations = [{"image_id": 7, "category_id": number} for number in range(6)]
    found = read_with(read_coco, write(tmp_path, COCO | {"categories": categories, "annotations": annotations}))
    assert list(found.targets) == ["Cat", "cat 2", "a_b", "a_b 2", "image_", "x" * 90]
    path = write(tmp_path, COCO | {"categories": [{"id": 1, "name": names[-1]}]})
    assert "categories item 1: name is empty" in refusal(read_coco, path)


@pytest.mark.slow
def test_a_hundred_thousand_categories_have_to_be_chosen_from(tmp_path: Path) -> None:
    names = [{"id": number, "name": f"kind {number} {'x' * 100}"} for number in range(100_000)]
    annotations = [{"image_id": 9, "category_id": number} for number in range(100_000)]
    path = write(tmp_path, COCO | {"categories": names, "annotations": annotations})
    assert "100000 labels, more than the 1000 that become targets by themselves" in refusal(read_coco, path)
    name = f"kind 99999 {'x' * 79}"
    assert cells(read_with(read_coco, path, targets={name: "binary"})) == {name: ["absent", "absent", "present"]}


def test_an_item_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lacuna.data.labels.annotations.json_items.MOST_ITEM", 1 << 20)
    long = COCO | {"images": [{"id": 1, "file_name": "x" * (4 << 20)}]}
    assert "one item takes more than 1 million characters" in refusal(read_coco, write(tmp_path, long))


def test_a_target_that_is_not_there_is_refused_with_what_there_is(coco: Path) -> None:
    message = refusal(read_coco, coco, targets={"dog": "binary"})
    assert message.endswith("no 'dog' (data.targets); there are 'cat', 'big_dog', 'cow', 'category'")


def test_a_kind_that_a_category_is_not_is_refused(coco: Path) -> None:
    assert "'cat' is binary in it, data.targets says categorical" in refusal(
        read_coco, coco, targets={"cat": "categorical"}
    )


@given(text=mutations(COCO))
def test_whatever_is_wrong_with_a_document_it_is_read_or_refused_in_one_line(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    survives(read_coco, write(tmp_path_factory.getbasetemp(), text))


def test_a_gzipped_file_is_read_as_it_is_packed(tmp_path):
    content = {
        "images": [{"id": 1, "file_name": "1.jpg"}, {"id": 2, "file_name": "2.jpg"}],
        "annotations": [{"image_id": 1, "category_id": 7}],
        "categories": [{"id": 7, "name": "dog"}],
    }
    packed = tmp_path / "instances.json.gz"
    packed.write_bytes(gzip.compress(json.dumps(content).encode()))
    assert guess_source(packed) == "coco"
    assert cells(read_with(read_coco, packed)) == {"dog": ["present", "absent"]}
    packed.write_bytes(packed.read_bytes()[:-9])
    assert "instances.json.gz: a gzip file that is damaged or cut off" in refusal(read_coco, packed)
