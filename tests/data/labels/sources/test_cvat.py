"""CVAT's XML: tags, objects and attributes, counted by hand, and XML that must not be trusted."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lacuna.data.labels.sources.cvat import read_cvat
from tests.label_sources import cells, read_with, refusal, survives, words_of

META = """<meta><task><labels>
<label><name>full</name><type>tag</type><attributes/></label>
<label><name>empty</name><type>tag</type><attributes></attributes></label>
<label><name>broken</name><type>tag</type></label>
<label><name>car</name><type>any</type><attributes>
<attribute><name>colour</name><input_type>select</input_type><values>red
blue</values></attribute>
<attribute><name>parked</name><input_type>checkbox</input_type></attribute>
<attribute><name>plate</name><input_type>text</input_type></attribute>
</attributes></label>
<label><name>wheel</name><type>points</type><parent>car</parent></label>
</labels></task></meta>
"""

IMAGES = """<image id="0" name="img/1.jpg" width="9" height="9" subset="Train">
<tag label="full" source="manual"></tag></image>
<image id="1" name="img/2.jpg" width="9" height="9" subset="train">
<box label="car" xtl="1"><attribute name="colour">red</attribute><attribute name="parked">false</attribute></box>
<polygon label="car"><attribute name="colour"> red </attribute><attribute name="parked">true</attribute></polygon>
</image>
<image id="2" name="img/3.jpg" width="9" height="9" subset="Validation">
<tag label="full"/><tag label="empty"/><mask label="car" rle="1,2"><attribute name="colour">blue</attribute>
<attribute name="parked">false</attribute><attribute name="plate">X 1</attribute></mask>
</image>
<image id="3" name="img/4.jpg" width="9" height="9" subset="test">
<box label="car"><attribute name="colour">red</attribute></box>
<box label="car"><attribute name="colour">blue</attribute></box>
<skeleton label="car"><points label="wheel"><attribute name="colour">green</attribute></points></skeleton>
</image>
<image id="4" name="img/5.jpg" width="9" height="9" subset="test"/>
"""

CVAT = f'<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>{META}{IMAGES}</annotations>\n'


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "annotations.xml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_tags_objects_and_attributes(tmp_path: Path) -> None:
    found = read_with(read_cvat, write(tmp_path, CVAT))
    assert found.targets == {
        "full": "binary",
        "empty": "binary",
        "car": "binary",
        "car colour": "categorical",
        "car parked": "binary",
    }
    assert words_of(found.image) == [f"img/{number}.jpg" for number in range(1, 6)]
    assert cells(found) == {
        "full": ["present", "absent", "present", "absent", "absent"],
        "empty": ["absent", "absent", "present", "absent", "absent"],
        "car": ["absent", "present", "present", "present", "absent"],
        "car colour": ["", "red", "blue", "", ""],  # unknown without a car, and with cars of two colours
        "car parked": ["", "present", "absent", "", ""],
    }
    assert words_of(found.split) == ["Train", "train", "Validation", "test", "test"]


def test_lines_are_those_of_the_images(tmp_path: Path) -> None:
    path = write(tmp_path, CVAT)
    lines = path.read_text().splitlines()
    assert [lines[line - 1].startswith("<image") for line in read_with(read_cvat, path).line] == [True] * 5


def test_what_a_user_should_know_is_noted(tmp_path: Path) -> None:
    notes = read_with(read_cvat, write(tmp_path, CVAT)).notes
    assert notes[0] == "1 label is declared and never used, and so no target: 'broken'"
    assert notes[1] == "1 of 5 images have no annotation and count as having none of the labels"
    assert notes[2] == "attributes that are texts or numbers are no targets by themselves: 'car plate'"
    assert notes[3] == "1 image with several words of 'car colour': unknown in it"


def test_targets_choose_among_all_that_is_there(tmp_path: Path) -> None:
    path = write(tmp_path, CVAT)
    chosen = {"broken": "binary", "car plate": "categorical", "label": "categorical"}
    assert cells(read_with(read_cvat, path, targets=chosen)) == {
        "broken": ["absent"] * 5,
        "car plate": ["", "", "X 1", "", ""],
        "label": ["full", "car", "", "car", ""],
    }
    assert "no 'cars' (data.targets); there are 'full', 'empty', 'car'" in refusal(
        read_cvat, path, targets={"cars": "binary"}
    )


def test_subsets_that_are_no_splits_give_none(tmp_path: Path) -> None:
    found = read_with(read_cvat, write(tmp_path, CVAT.replace('"Validation"', '"batch 3"')))
    assert found.split.words == ("",)


def test_an_undefined_choice_is_unknown(tmp_path: Path) -> None:
    found = read_with(read_cvat, write(tmp_path, CVAT.replace(">blue<", ">__undefined__<")))
    assert cells(found)["car colour"] == ["", "red", "", "red", ""]


BOMB = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty, expected CVAT's XML"),
        ('[{"id": 1}]', "this is a JSON array; expected CVAT's XML"),
        ("image,full\n", "this is text that begins with 'image,full'; expected CVAT's XML"),
        ("<annotation><folder/></annotation>", ":1: the root is <annotation>, expected <annotations>; this is Pascal"),
        ("<View/>", "this is a labelling configuration of Label Studio"),
        ("<annotations><track id='0'/></annotations>", "a <track>, so this is CVAT for video; export"),
        ("<annotations>\n<image id='1'/></annotations>", ":2: <image> without name"),
        ("<annotations><image name='a'>\n<box/></image></annotations>", ":2: <box> without label"),
        ("<annotations><image name=' '/></annotations>", ":1: name is empty"),
        ("<annotations><image name='a'><tag label=''/></image></annotations>", ":1: label is empty"),
        ("<annotations/>", "no image in it is annotated"),
        ("<annotations><image name='a'/></annotations>", "nothing in it is labelled"),
        ("<annotations>&amp;&b;</annotations>", "not valid XML: undefined entity"),
        ("<annotations>\n<x></annotations>", ":2: not valid XML: mismatched tag"),
        (f'<!DOCTYPE annotations [<!ENTITY a0 "ha">{BOMB}]><annotations>&a9;</annotations>', "a document type"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n<annotations>&x;</annotations>', "a document type"),
        ('<!DOCTYPE annotations SYSTEM "http://localhost/x.dtd"><annotations/>', "a document type"),
        ("<annotations>" + "<a>" * 100_000, "elements are nested more than 50 deep"),
        (f"<annotations><image name='{'x' * 70_000}'/></annotations>", "a name of more than 65536 characters"),
        (CVAT.replace("X 1", "X" * 100_000), "a name or value of more than 65536 characters"),
        ("<annotations>\n\n\u00fc</annotations>".encode("latin-1"), ":3: not valid XML: not well-formed"),
        ('<?xml version="1.0" encoding="x-none"?><annotations/>', "an encoding that is not known"),
        (b"PK\x03\x04annotations.xml", "this is a ZIP archive or an Excel file; unpack it"),
    ],
    ids=lambda value: str(value[:30]),
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    assert message in refusal(read_cvat, write(tmp_path, content))


def test_an_element_without_end_is_not_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lacuna.data.labels.annotations.cvat_xml.MOST_PENDING", 2 << 20)
    content = f'<annotations><image name="a"><mask label="car" rle="{"1," * (3 << 20)}'
    assert "one element takes more than 2 MiB" in refusal(read_cvat, write(tmp_path, content))


def test_every_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    content = CVAT.strip()
    for end in range(2, len(content), 61):
        assert "cut off" in refusal(read_cvat, write(tmp_path, content[:end]))


def test_latin_1_and_utf_16_are_read_where_the_file_says_so(tmp_path: Path) -> None:
    content = CVAT.replace("empty", "gr\u00fcn")
    for encoding in ("iso-8859-1", "utf-16"):
        path = write(tmp_path, content.replace("utf-8", encoding).encode(encoding))
        assert "gr\u00fcn" in read_with(read_cvat, path).targets


@pytest.mark.slow
def test_a_hundred_thousand_labels_have_to_be_chosen_from(tmp_path: Path) -> None:
    tags = "".join(f'<tag label="t{number}"/>' for number in range(100_000))
    path = write(tmp_path, f'<annotations><image name="a">{tags}</image><image name="b"/></annotations>')
    assert "100000 labels, more than the 1000" in refusal(read_cvat, path)


@given(
    start=st.integers(0, len(CVAT)), length=st.integers(1, 60), put=st.sampled_from(["", "<", "&", '"', "<tag>", "\0"])
)
def test_whatever_is_wrong_with_a_document_it_is_read_or_refused_in_one_line(
    start: int, length: int, put: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    survives(read_cvat, write(tmp_path_factory.getbasetemp(), CVAT[:start] + put + CVAT[start + length :]))
