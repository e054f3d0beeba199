"""Open Images' rows: present, verified absent, unknown, counted by hand."""

from pathlib import Path

import pytest

from lacuna.data.labels.sources.open_images import read_open_images
from tests.label_sources import cells, read_with, refusal, words_of

HEADER = "ImageID,Source,LabelName,Confidence\n"

ROWS = HEADER + (
    "i1,verification,/m/1,1\n"
    "i1,crowdsource-verification,/m/2,0\n"
    "i2,machine,/m/1,1\n"
    "i2,verification,/m/1,0\n"
    "i3,verification,/m/2,1.0\n"
    "i3,verification,/m/3,0\n"
    "i3,machine,/m/1,0.8\n"
    "i1,verification,/m/1,1\n"
)


def write(folder: Path, content: str | bytes, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_what_no_row_says_is_unknown_and_what_a_model_says_is_no_label(tmp_path: Path) -> None:
    write(tmp_path, 'LabelName,DisplayName\n/m/1,Cat\n/m/2,"Dog, big"\n', "oidv7-class-descriptions.csv")
    found = read_with(read_open_images, write(tmp_path, ROWS))
    assert found.targets == {"Cat": "binary", "Dog, big": "binary"}
    assert words_of(found.image) == ["i1", "i2", "i3"]
    assert found.line.tolist() == [2, 5, 6]
    assert cells(found) == {"Cat": ["present", "absent", ""], "Dog, big": ["absent", "", "present"]}
    assert found.notes[0] == "2 of 8 rows are a model's predictions, not verified, and are left out"
    assert found.notes[1] == "1 label is present in no image, and so no target: '/m/3'"


def test_without_descriptions_labels_are_called_by_number(tmp_path: Path) -> None:
    path = write(tmp_path, ROWS)
    assert list(read_with(read_open_images, path).targets) == ["_m_1", "_m_2"]
    assert cells(read_with(read_open_images, path, targets={"_m_3": "binary"})) == {"_m_3": ["", "", "absent"]}


def test_an_image_that_has_both_gets_a_row_for_each(tmp_path: Path) -> None:
    found = read_with(read_open_images, write(tmp_path, ROWS + "i1,verification,/m/1,0\n"))
    assert words_of(found.image) == ["i1", "i2", "i3", "i1"]
    assert cells(found) == {"_m_1": ["present", "absent", "", "absent"], "_m_2": ["absent", "", "present", ""]}


def test_columns_may_stand_anywhere_and_source_be_missing(tmp_path: Path) -> None:
    found = read_with(read_open_images, write(tmp_path, "Confidence,x,ImageID,LabelName\r\n1,,a,cat\r\n0,,b,cat\r\n"))
    assert cells(found) == {"cat": ["present", "absent"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty, expected rows as Open Images has them"),
        ("[{}]", "no column ImageID, this is a JSON array"),
        ("image,label\n", "no column ImageID, this is text that begins with 'image,label'"),
        ("ImageID,LabelName,Confidence,LabelName\n", "more than one column LabelName"),
        (HEADER, "none of its 0 rows is verified"),
        (HEADER + "i,machine,l,1\n", "none of its 1 row is verified"),
        (ROWS + "i9,verif", ":10: 2 cells, the header has 4: 'i9,verif'; is it cut off?"),
        (HEADER + "\ni,v,l,1\n", ":2: the Confidence '' is no number from 0 to 1"),
        (HEADER + "i,v,l,high\n", ":2: the Confidence 'high' is no number"),
        (HEADER + "i,v,l,NaN\n", ":2: the Confidence 'NaN' is no number"),
        (HEADER + "i,v,l,1\ni,v,l,Infinity\n", ":3: the Confidence 'Infinity' is no number"),
        (HEADER + "i,v,l,-1\n", ":2: the Confidence '-1' is no number from 0 to 1"),
        (HEADER + ",v,l,1\n", ":2: ImageID is empty"),
        (HEADER + "i,v,,1\n", ":2: LabelName is empty"),
        (HEADER + "i,v," + "x" * 3_000_000 + ",1\n", "not a CSV in UTF-8 that can be read"),
        ((HEADER + "i,v,l,1\ni,v,\u00fc,1\n").encode("latin-1"), ":3: not UTF-8 text (byte 0xfc)"),
        (ROWS.encode("utf-16"), "labels.csv: UTF-16 text, expected UTF-8"),
        (b"PAR1" + b"x" * 20, "this is a Parquet file; data.source: table reads it"),
    ],
    ids=lambda value: str(value[-40:]),
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    assert message in refusal(read_open_images, write(tmp_path, content))


def test_a_description_that_is_none_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "/m/1,Cat\n/m/2\n", "class-descriptions.csv")
    message = refusal(read_open_images, write(tmp_path, ROWS))
    assert "class-descriptions.csv:2: expected a label and its name, received '/m/2'" in message


def test_many_rows_are_counted_as_pandas_counts_them(tmp_path: Path) -> None:
    import pandas as pd

    rows = pd.DataFrame({"ImageID": [f"i{n % 997}" for n in range(50_000)]})
    rows["LabelName"] = [f"l{n % 13}" for n in range(50_000)]
    rows["Confidence"] = [int(n % 997 % 3 == 0) for n in range(50_000)]
    path = tmp_path / "rows.csv"
    rows.to_csv(path, index=False)
    found = read_with(read_open_images, path)
    wanted = rows.drop_duplicates().groupby("LabelName")["Confidence"].sum().to_dict()
    assert {name: words.count("present") for name, words in cells(found).items()} == wanted


def test_more_labels_than_can_be_targets_have_to_be_chosen_from(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + "".join(f"i{n % 2},v,label {n // 2},{n % 2}\n" for n in range(20_000)))
    assert "10000 labels, more than the 1000" in refusal(read_open_images, path)
    found = read_with(read_open_images, path, targets={"label 77": "binary"})
    assert cells(found) == {"label 77": ["absent", "present"]}
