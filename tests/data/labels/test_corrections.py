"""Corrections as a person writes them, through prepare's own steps."""

from pathlib import Path

import numpy as np
import pytest

from lacuna.data.labels.corrections import encode_corrected
from lacuna.data.labels.join import join_labels
from lacuna.data.labels.sources import read_labels
from lacuna.errors import LacunaError
from lacuna.io.csv_files import write_csv

NAMES = [f"{number:02}.png" for number in range(24)]
KINDS = ("boot", "hat", "shoe")


@pytest.fixture
def corrected(tiny_project):
    """Return a function that encodes 24 images' labels with corrections: rows, or the text of the file."""

    def encode(corrections, **changes):
        changes = {
            "data.labels": "labels.csv",
            "data.targets": {"red": "binary", "kind": "categorical"},
            "data.group_column": "",
            "data.corrections": "corrections/mine.csv",
            **changes,
        }
        data = tiny_project(changes).data
        rows = [(name, "NA" if n == 0 else n % 2, KINDS[n % 3] if n != 5 else "glove") for n, name in enumerate(NAMES)]
        write_csv(Path("labels.csv"), ("image", "red", "kind"), [*rows, ("07.png", 0, "NA")])
        Path("corrections").mkdir()
        if isinstance(corrections, str):
            Path("corrections/mine.csv").write_text(corrections)
        else:
            header = ("image", "target", "given", "corrected", "suggested", "probability")
            write_csv(Path("corrections/mine.csv"), header, [(*row, "boot", 0.9) for row in corrections])
        label_file = read_labels(data, NAMES)
        return encode_corrected(label_file, join_labels(label_file, NAMES, {}, data), data, NAMES)

    return encode


def test_corrections_are_laid_over_the_labels_and_nothing_else_changes(corrected):
    rows = [
        ("01.png", "red", "present", "absent"),
        ("02.png", "red", "0", "1"),  # the label file's own words will do
        ("00.png", "red", "NA", "present"),
        ("03.png", "kind", "boot", "NA"),
        ("04.png", "kind", "hat", "shoe"),
        ("06.png", "kind", "boot", "hat"),
        ("06.png", "kind", "hat", "boot"),  # back again, in a later row
        ("08.png", "kind", "shoe", ""),
    ]
    before, _ = corrected([])
    Path("corrections/mine.csv").unlink()
    Path("corrections").rmdir()
    after, done = corrected(rows)
    expected = before.labels.copy()
    expected[1, 0], expected[2, 0], expected[0, 0], expected[3, 1], expected[4, 1] = 0, 1, 1, -1, 2
    assert np.array_equal(after.labels, expected)
    assert done.counts == {"red": 3, "kind": 2}
    assert str(done) == "\n5 labels corrected by corrections/mine.csv: red 3, kind 2"


def test_a_contradiction_is_resolved(corrected):
    encoded, done = corrected([("07.png", "red", "NA", "present")])
    assert encoded.labels[7, 0] == 1
    assert encoded.contradictions["red"] == []
    assert done.counts["red"] == 1


def test_a_rare_class_was_shown_as_unknown_or_other(corrected):
    encoded, _ = corrected([("05.png", "kind", "NA", "shoe")])
    assert encoded.labels[5, 1] == 2
    assert encoded.rare["kind"] == {}


def test_tables_may_be_appended_with_their_headers(corrected):
    text = "image,target,given,corrected\n01.png,red,present,absent\n\nimage,target,given,corrected\n03.png,red,1,NA\n"
    assert corrected(text)[1].counts == {"red": 2, "kind": 0}


def test_no_file_no_corrections(corrected):
    assert str(corrected([], **{"data.corrections": ""})[1]) == ""


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("99.png", "red", "1", "0"), "mine.csv:2: '99.png' is no labelled image, did you mean '"),
        (("01.png", "blue", "1", "0"), "mine.csv:2: 'blue' is no target, expected one of 'red', 'kind'"),
        (("01.png", "kind", "hat", "boots"), "mine.csv:2: 'boots' is no class of kind, did you mean 'boot'?; NA makes"),
        (("01.png", "red", "1", "perhaps"), "mine.csv:2: 'perhaps' is no class of red"),
        (("01.png", "red", "absent", "present"), "mine.csv:2: red of 01.png is present, not absent as the row says"),
        (("00.png", "red", "present", "absent"), "mine.csv:2: red of 00.png is NA, not present as the row says"),
    ],
)
def test_mistakes_are_named_by_line(corrected, row, message):
    with pytest.raises(LacunaError) as caught:
        corrected([row])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "image,given,corrected\n",
            "mine.csv:1: expected the columns image,target,given,corrected first, received 'image',",
        ),
        ("image,target,given,corrected\n01.png,red\n", "mine.csv:2: 2 cells, expected image,target,given,corrected"),
        ("", "mine.csv: the label file is empty"),
    ],
)
def test_files_that_hold_no_corrections(corrected, text, message):
    with pytest.raises(LacunaError) as caught:
        corrected(text)
    assert message in str(caught.value)
