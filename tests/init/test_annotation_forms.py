"""`python -m lacuna init` on label files in the forms of annotation tools and challenges, whose images have numbers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lacuna.config.params import Params
from lacuna.data.labels.sources import read_labels
from tests.label_sources import words_of
from tests.random_images import write_images

Init = Callable[..., Params]

NAMES = [f"{k}.png" for k in range(60)]


def write_json(content: Any) -> None:
    Path("photos", "labels.json").write_text(json.dumps(content), encoding="utf-8")


def read(params: Params) -> dict[str, dict[str, str]]:
    """For each target the word of each image, by the name without its suffix."""
    table = read_labels(params.data, NAMES)
    images = [Path(name).stem for name in words_of(table.image)]
    return {name: dict(zip(images, words_of(column), strict=True)) for name, column in table.labels.items()}


@pytest.mark.parametrize(("image", "label"), [("imageId", "labelId"), ("image_id", "label_id")])
def test_lists_of_label_numbers_beside_images(
    init: Init, capsys: pytest.CaptureFixture[str], image: str, label: str
) -> None:
    write_images(NAMES)
    images = [{image: k, "url": [f"https://example.org/photo_{k}"]} for k in range(60)]
    said = [{image: str(k), label: ["95", 66] if k % 2 else "66" if k % 4 else ["7"]} for k in range(59)]
    write_json({"info": {"year": 2018}, "images": images, "annotations": said, "license": [{"id": 1}]})
    params = init()
    assert params.data.source == "table"
    assert params.data.image_column == image
    found = read(params)
    assert {name: words["1"] for name, words in found.items()} == {"66": "present", "7": "absent", "95": "present"}
    assert {name: words["2"] for name, words in found.items()} == {"66": "present", "7": "absent", "95": "absent"}
    assert {name: words["59"] for name, words in found.items()} == dict.fromkeys(found, "")
    said_by_init = capsys.readouterr().out
    assert "(empty) → unknown" in said_by_init
    assert "(empty) → none" not in said_by_init


def test_one_label_number_of_each_image_is_its_class(init: Init) -> None:
    write_images(NAMES)
    said = [{"image_id": k, "id": k, "label_id": [k % 3]} for k in range(60)]
    write_json({"annotations": said, "images": [{"image_id": k, "url": "x"} for k in range(60)]})
    params = init()
    assert params.data.kinds == {"label_id": "categorical"}
    assert read(params)["label_id"]["5"] == "2"


def regions(k: int) -> list[dict[str, Any]]:
    found = ["scratch"] * (k % 2) + ["dent"] * (k % 3 == 0)
    return [{"shape_attributes": {"name": "rect"}, "region_attributes": {"damage": word}} for word in found]


def via_entries() -> dict[str, dict[str, Any]]:
    """Each image's side is chosen, boxes are ticked in three of four, and regions mark its damages."""
    return {
        f"{name}123": {
            "filename": name,
            "size": 123,
            "regions": regions(k),
            "file_attributes": {
                "side": "left" if k % 5 else "right",
                "seen": {"wheel": True, "lamp": k % 4 == 1} if k % 4 else {},
            },
        }
        for k, name in enumerate(NAMES)
    }


def via_csv() -> str:
    lines = ["filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"]
    for name, one in zip(NAMES, via_entries().values(), strict=True):
        of_file = json.dumps(one["file_attributes"]).replace('"', '""')
        each = [json.dumps(region["region_attributes"]).replace('"', '""') for region in one["regions"]] or ["{}"]
        for number, region in enumerate(each):
            lines.append(f'{name},123,"{of_file}",{len(one["regions"])},{number},"{{}}","{region}"')
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("form", ["project", "export", "old", "csv"])
def test_what_via_saves(init: Init, capsys: pytest.CaptureFixture[str], form: str) -> None:
    write_images(NAMES)
    entries = via_entries()
    if form == "csv":
        Path("photos/labels.csv").write_text(via_csv(), encoding="utf-8")
    elif form == "old":  # VIA 1 numbers the regions
        for one in entries.values():
            one["regions"] = {str(number): region for number, region in enumerate(one["regions"])}
        write_json(entries)
    else:
        write_json({"_via_settings": {}, "_via_img_metadata": entries} if form == "project" else entries)
    params = init()
    assert params.data.kinds == {"side": "categorical", "seen": "tags", "damage": "tags"}
    assert params.data.image_column == "filename"
    found = read(params)
    assert [found["side"][k] for k in ("0", "1")] == ["right", "left"]
    assert [found["lamp"][k] for k in ("0", "1", "2")] == ["", "present", "absent"]
    assert [(found["dent"][k], found["scratch"][k]) for k in ("0", "1", "2", "3")] == [
        ("present", "absent"),
        ("absent", "present"),
        ("absent", "absent"),
        ("present", "present"),
    ]
    assert "an empty list says that none of the tags is there. Otherwise:" in capsys.readouterr().out
    otherwise = init("--set", "data.targets.damage.unknown=['', '[]']")
    assert read(otherwise)["dent"]["2"] == ""


def test_automl_lines_have_as_many_labels_as_their_image(init: Init) -> None:
    write_images(NAMES)
    parts = ["TRAIN", "TRAIN", "TRAIN", "VALIDATION", "TEST", "UNASSIGNED"]
    labels = ["daisy", "daisy,rose", "rose,tulip,daisy", ""]
    lines = [f"{parts[k % 6]},gs://bucket/a/{name},{labels[k % 4]}" for k, name in enumerate(NAMES)]
    Path("photos/labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    params = init()
    assert (params.data.image_column, params.data.split_column) == ("image", "split")
    found = read(params)
    assert [found["rose"][k] for k in ("0", "1", "2", "3")] == ["absent", "present", "present", ""]
    assert words_of(read_labels(params.data, NAMES).split)[:6] == ["TRAIN", "TRAIN", "TRAIN", "VALIDATION", "TEST", ""]


def test_automl_lines_of_one_label_are_classes_and_boxes_are_objects(init: Init) -> None:
    write_images(NAMES)
    lines = [f"gs://bucket/{name},{'cat' if k % 3 else 'dog'}" for k, name in enumerate(NAMES)]
    Path("photos/labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert init().data.kinds == {"label": "categorical"}
    boxed = [f"{line},0.1,0.2,,,0.3,0.4,," for line in lines]
    Path("photos/labels.csv").write_text("\n".join(boxed) + "\n", encoding="utf-8")
    assert init().data.kinds == {"label": "categorical"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("LEARN,gs://bucket/1.png,cat", "labels.csv:61: 'LEARN' is no part; expected TRAIN, VALIDATION, TEST or UNAS"),
        ("TRAIN,/home/1.png,cat", "labels.csv:61: no image that begins with gs://; expected [PART,]gs://bucket/image"),
    ],
)
def test_a_line_that_is_none_of_automl_is_named(init: Init, capsys: Any, line: str, message: str) -> None:
    write_images(NAMES)
    lines = [f"gs://bucket/{name},{'cat' if k % 3 else 'dog'}" for k, name in enumerate(NAMES)]
    Path("photos/labels.csv").write_text("\n".join([*lines, line]) + "\n", encoding="utf-8")
    init(code=1)
    assert message in capsys.readouterr().err


def caption(k: int) -> str:
    return f"A dog with {k} spots is running on the grass , near a fence"


@pytest.mark.parametrize("form", ["flickr8k", "csv", "flickr30k", "coco"])
def test_captions_are_refused_with_what_is_wanted(init: Init, capsys: pytest.CaptureFixture[str], form: str) -> None:
    write_images(NAMES)
    match form:
        case "flickr8k":
            text = "".join(f"{name}#{n}\t{caption(5 * k + n)}\n" for k, name in enumerate(NAMES) for n in range(5))
        case "csv":
            text = "image,caption\n" + "".join(f'{name},"{caption(k)}"\n' for k, name in enumerate(NAMES))
        case "flickr30k":
            text = "image_name| comment_number| comment\n"
            text += "".join(f"{name}| {n}| {caption(5 * k + n)}\n" for k, name in enumerate(NAMES) for n in range(5))
        case _:
            images = [{"id": k, "file_name": name} for k, name in enumerate(NAMES)]
            said = [{"id": k, "image_id": k, "caption": caption(k)} for k in range(60)]
            write_json({"images": images, "annotations": said})
            text = ""
    if text:
        Path("photos/captions.txt").write_text(text, encoding="utf-8")
    init(code=1)
    expected = "captions: sentences, each of which describes one image; expected labels: words that many images share"
    assert expected in capsys.readouterr().err
