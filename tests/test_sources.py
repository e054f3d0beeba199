"""Label files as people write them, and where the errors in them point."""

from pathlib import Path
from typing import Any

import pytest

from lacuna.config import Data
from lacuna.errors import LacunaError
from lacuna.sources import LabelFile, read_labels


@pytest.fixture
def read(tiny_project: Any, tmp_path: Path) -> Any:
    def read(content: str | bytes, **changes: object) -> LabelFile:
        path = tmp_path / "labels.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        defaults = {"group_column": "", "labels": "labels.csv", "targets": {"red": "binary", "kind": "categorical"}}
        changed = {f"data.{key}": value for key, value in {**defaults, **changes}.items()}
        data: Data = tiny_project(changed).data
        return read_labels(data)

    return read


def test_labels_txt_names_its_columns_by_number(read: Any) -> None:
    found = read("a.jpg 1 NA 0\n\nb.jpg\t0  1 NA\n", source="labels_txt", targets={})
    assert found.targets == {"attribute_1": "binary", "attribute_2": "binary", "attribute_3": "binary"}
    assert [(row.line, row.image, row.labels) for row in found.rows] == [
        (1, "a.jpg", ("1", "NA", "0")),
        (3, "b.jpg", ("0", "1", "NA")),
    ]


def test_labels_txt_with_names(read: Any) -> None:
    found = read("a.jpg 1 boot\n", source="labels_txt")
    assert found.targets == {"red": "binary", "kind": "categorical"}
    assert found.rows[0].labels == ("1", "boot")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "labels.csv: the label file is empty"),
        (" \n\n", "labels.csv: the label file is empty"),
        ("a.jpg 1 0\nb.jpg 1\n", r"labels.csv:2: expected an image and 2 labels .* received 1 labels: 'b.jpg 1'"),
        ("a.jpg 1 0\n\nb.jpg 1 0 1\n", "labels.csv:3: expected an image and 2 labels .* received 3"),
        ("a.jpg\n", "labels.csv:1: expected an image and some labels"),
        ("a.jpg 1 0\nb.jpg 1 maybe\n", "labels.csv:2: 'maybe' is no label of the binary target attribute_2"),
        (b"a.jpg 1 \xff\n", r"labels.csv: not UTF-8 text \(byte 8\)"),
    ],
    ids=["empty", "blank", "too few", "too many", "no label", "unknown token", "not UTF-8"],
)
def test_errors_in_labels_txt_name_file_and_line(read: Any, content: str | bytes, message: str) -> None:
    with pytest.raises(LacunaError, match=message):
        read(content, source="labels_txt", targets={})


def test_a_missing_label_file_is_named(tiny_project: Any) -> None:
    with pytest.raises(LacunaError, match=r"nowhere.csv: no such file; data.labels"):
        read_labels(tiny_project({"data.labels": "nowhere.csv"}).data)


def test_table_reads_the_columns_it_is_told(read: Any) -> None:
    content = '\ufeffname,kind,red,who,part\r\n"a, b.jpg", boot ,yes,anna,Train\r\n\r\nc.jpg,,NA,,\r\n'
    found = read(content, image_column="name", group_column="who", split_column="part")
    assert [tuple(row) for row in found.rows] == [
        (2, "a, b.jpg", ("yes", "boot"), "anna", "Train"),
        (4, "c.jpg", ("NA", ""), "", ""),
    ]


def test_rows_with_unquoted_commas_are_skipped_and_counted(read: Any) -> None:
    good = "".join(f"{number}.jpg,1,boot\n" for number in range(30))
    found = read("image,red,kind\n" + good + "x.jpg,1,boot, brown\n")
    assert (len(found.rows), found.n_skipped) == (30, 1)
    assert all(row.image != "x.jpg" for row in found.rows)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("picture,red,kind\na.jpg,1,boot\n", "labels.csv:1: no column 'image' .*'picture', 'red', 'kind'"),
        ("image,kind\na.jpg,boot\n", r"labels.csv:1: no column 'red' \(data.targets\)"),
        ("image,red,kind,red\na.jpg,1,boot,0\n", "labels.csv:1: more than one column 'red'"),
        ("image,red,kind\n", "labels.csv: no row below the header"),
        ("image,red,kind\na,1,x\nb,1\nc,0,y\n", "labels.csv:3: 1 of 3 rows don't have the header's 3 cells"),
        ("image,red,kind\na,1,x\nb,2,x\n", "labels.csv:3: '2' is no label of the binary target red"),
        ("image,red,kind\na,1," + "x" * 200_000, "labels.csv:2: not valid CSV: field larger"),
    ],
    ids=["no image column", "no target column", "column twice", "no rows", "too few fields", "unknown token", "no CSV"],
)
def test_errors_in_tables_name_file_and_line(read: Any, content: str, message: str) -> None:
    with pytest.raises(LacunaError, match=message):
        read(content)
