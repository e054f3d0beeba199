"""Label files as people write them, and where the errors in them point."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest

from lacuna.config.data import Data
from lacuna.config.types import LABELLED_BY_PLACE, Source
from lacuna.data.labels.label_table import Dropped, LabelRow, LabelTable
from lacuna.data.labels.sources import SOURCES, read_labels
from lacuna.errors import LacunaError
from tests.idx_files import write_idx_folder


@pytest.fixture
def read(tiny_project: Any, tmp_path: Path) -> Any:
    def read(content: str | bytes, **changes: object) -> LabelTable:
        path = tmp_path / "labels.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        defaults = {"group_column": "", "labels": "labels.csv", "targets": {"red": "binary", "kind": "categorical"}}
        changed = {f"data.{key}": value for key, value in {**defaults, **changes}.items()}
        data: Data = tiny_project(changed).data
        return read_labels(data, [])

    return read


def rows_of(table: LabelTable) -> list[LabelRow]:
    return [table.row(number) for number in range(len(table))]


def test_labels_txt_names_its_columns_by_number(read: Any) -> None:
    found = read("a.jpg 1 NA 0\n\nb.jpg\t0  1 NA\n", source="labels_txt", targets={})
    assert found.targets == {"attribute_1": "binary", "attribute_2": "binary", "attribute_3": "binary"}
    assert [(row.line, row.image, row.labels) for row in rows_of(found)] == [
        (1, "a.jpg", ("present", "", "absent")),
        (3, "b.jpg", ("absent", "present", "")),
    ]


def test_labels_txt_with_names(read: Any) -> None:
    found = read("a.jpg 1 boot\n", source="labels_txt")
    assert found.targets == {"red": "binary", "kind": "categorical"}
    assert found.row(0).labels == ("present", "boot")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "labels.csv: the label file is empty"),
        (" \n\n", "labels.csv: the label file is empty"),
        ("a.jpg 1 0\nb.jpg 1\n", r"labels.csv:2: expected an image and 2 labels .* received 1 label: 'b.jpg 1'"),
        ("a.jpg 1 0\n\nb.jpg 1 0 1\n", "labels.csv:3: expected an image and 2 labels .* received 3"),
        ("a.jpg\n", "labels.csv:1: expected an image and some labels"),
        ("a.jpg 1 0\nb.jpg 1 maybe\n", "labels.csv:2: 'maybe' is no label of the binary target attribute_2"),
        (
            "a.jpg 1\nb\u00e9.jpg 0\n".encode("latin-1"),
            r"labels.csv:2: not UTF-8 text \(byte 0xe9\); data.encoding must name its encoding",
        ),
    ],
    ids=["empty", "blank", "too few", "too many", "no label", "unknown token", "Latin-1"],
)
def test_errors_in_labels_txt_name_file_and_line(read: Any, content: str | bytes, message: str) -> None:
    with pytest.raises(LacunaError, match=message):
        read(content, source="labels_txt", targets={})


def test_a_missing_label_file_is_named(tiny_project: Any) -> None:
    with pytest.raises(LacunaError, match=r"nowhere.csv: no such file; data.labels"):
        read_labels(tiny_project({"data.labels": "nowhere.csv"}).data, [])


def test_table_reads_the_columns_it_is_told(read: Any) -> None:
    content = '\ufeffname,kind,red,who,part\r\n"a, b.jpg", boot ,yes,anna,Train\r\n\r\nc.jpg,,NA,,\r\n'
    found = read(content, image_column="name", group_column="who", split_column="part")
    assert [tuple(row) for row in rows_of(found)] == [
        (2, "a, b.jpg", ("present", "boot"), "anna", "Train"),
        (4, "c.jpg", ("", ""), "", ""),
    ]


def test_rows_with_unquoted_commas_are_skipped_and_counted(read: Any) -> None:
    good = "".join(f"{number}.jpg,1,boot\n" for number in range(60))
    found = read("image,red,kind\n" + good + "x.jpg,1,boot, brown\n" + "y.jpg,1,hat\n" + "z.jpg,1\n")
    assert [row.image for row in rows_of(found)[60:]] == ["y.jpg"]
    assert found.malformed == (
        Dropped(62, "", "4 cells, the header has 3"),
        Dropped(64, "", "2 cells, the header has 3"),
    )


def test_a_quote_that_is_not_closed_loses_no_line_in_silence(read: Any) -> None:
    good = "".join(f"{number}.jpg,1,boot\n" for number in range(100))
    found = read("image,red,kind\n" + good + 'x.jpg,1,"boot\ny.jpg,1,hat\nz.jpg,"1",hat\n' + good)
    assert [one.line for one in found.malformed] == [102, 103, 104]
    assert found.malformed[0].reason == "lines 102 to 104 are one row of 4 cells: a double quote is not closed"
    assert len(found) == 200


def test_a_row_over_several_lines_is_named_by_its_first(read: Any) -> None:
    found = read('image,red,kind,note\na.jpg,1,boot,"one\ntwo"\nb.jpg,0,hat,\n')
    assert [(row.line, row.image) for row in rows_of(found)] == [(2, "a.jpg"), (4, "b.jpg")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("picture,red,kind\na.jpg,1,boot\n", "labels.csv:1: no column 'image' .*'picture', 'red', 'kind'"),
        ("image,kind\na.jpg,boot\n", r"labels.csv:1: no column 'red' \(data.targets\)"),
        ("image,red,kind,red\na.jpg,1,boot,0\n", "labels.csv:1: more than one column 'red'"),
        ("image,red,kind\n", "labels.csv: no row below the header"),
        ("image,red,kind\na,1,x\nb,1\nc,0,y\n", "labels.csv:3: 1 of 3 rows lack the header's 3 cells"),
        ("image,red,kind\na,1,x\nb,2,x\n", "labels.csv:3: '2' is no label of the binary target red"),
        ("image,red,kind\na,1," + "x" * 200_000, "labels.csv:2: not valid CSV: field larger"),
    ],
    ids=["no image column", "no target column", "column twice", "no rows", "too few fields", "unknown token", "no CSV"],
)
def test_errors_in_tables_name_file_and_line(read: Any, content: str, message: str) -> None:
    with pytest.raises(LacunaError, match=message):
        read(content)


@pytest.fixture
def read_folder(tiny_project: Any, tmp_path: Path) -> Any:
    """Read class folders with these images and folders in them."""

    def read(images: list[str], folders: tuple[str, ...] = (), targets: dict[str, str] | None = None) -> LabelTable:
        for folder in (*folders, *(str(Path(image).parent) for image in images)):
            (tmp_path / "raw" / folder).mkdir(parents=True, exist_ok=True)
        changes = {"source": "folders", "path": "raw", "labels": "raw", "targets": targets or {}}
        return read_labels(tiny_project({f"data.{key}": value for key, value in changes.items()}).data, images)

    return read


def test_folders_are_classes(read_folder: Any) -> None:
    found = read_folder(["cat/1.png", "cat/old/2.png", "dog/1.png"], targets={"animal": "categorical"})
    assert found.targets == {"animal": "categorical"}
    assert [(row.image, row.labels, row.split) for row in rows_of(found)] == [
        ("cat/1.png", ("cat",), ""),
        ("cat/old/2.png", ("cat",), ""),
        ("dog/1.png", ("dog",), ""),
    ]
    assert found.notes == ()


def test_folders_named_like_splits_give_the_split(read_folder: Any) -> None:
    found = read_folder(["Train/cat/1.png", "validation/cat/1.png", "test/dog/1.png"])
    assert found.targets == {"class": "categorical"}
    assert [(row.labels, row.split) for row in rows_of(found)] == [
        (("cat",), "Train"),
        (("cat",), "validation"),
        (("dog",), "test"),
    ]


@pytest.mark.parametrize(
    ("images", "folders", "note"),
    [
        (["cat/1.png", "x.png"], (), "1 image outside of the class folders, without a class: x.png"),
        (["train/cat/1.png", "train/x.png"], (), "1 image outside of the class folders.*: train/x.png"),
        (
            ["cat/1.png"],
            ("dog", "bird", "cat/deep", ".git"),
            "2 folders where a class belongs hold no image: bird, dog",
        ),
        (["train/cat/1.png", "test/dog/1.png"], ("test/cat", "val"), "2 folders .* hold no image: test/cat, val"),
        (["cat/1.png"], tuple("abcdefg"), "7 folders where a class belongs hold no image: a, b, c, ..."),
    ],
    ids=["image in the root", "image in a split", "empty class", "empty class in a split", "many"],
)
def test_what_is_no_class_folder_is_said_by_name(
    read_folder: Any, images: list[str], folders: tuple[str, ...], note: str
) -> None:
    (said,) = read_folder(images, folders).notes
    assert re.fullmatch(note, said)


def test_a_folder_of_images_without_class_folders_is_an_error(read_folder: Any) -> None:
    with pytest.raises(LacunaError, match=r"raw: all 2 images lie outside of class folders, such as a.png; expected"):
        read_folder(["a.png", "b.png"])


def read_idx(tiny_project: Any, **changes: object) -> LabelTable:
    settings = {"source": "idx", "path": "raw", "labels": "raw", "targets": {}, **changes}
    return read_labels(tiny_project({f"data.{key}": value for key, value in settings.items()}).data, [])


def test_idx_labels_are_numbers_or_names_and_the_test_part_stays(tiny_project: Any, tmp_path: Path) -> None:
    write_idx_folder(tmp_path / "raw", train=5, test=2)
    found = read_idx(tiny_project)
    assert found.targets == {"class": "categorical"}
    assert [(row.image, row.labels, row.split) for row in rows_of(found)[3:6]] == [
        ("train/00003", ("3",), "train"),
        ("train/00004", ("0",), "train"),
        ("t10k/00000", ("0",), "test"),
    ]
    (tmp_path / "raw" / "classes.txt").write_text("boot\nshoe\nhat\nAnkle boot\n\n")
    found = read_idx(tiny_project, targets={"clothing": "categorical"})
    assert found.targets == {"clothing": "categorical"}
    assert [row.labels[0] for row in rows_of(found)] == ["boot", "shoe", "hat", "Ankle boot", "boot", "boot", "shoe"]


def test_each_source_stands_once_in_the_table_and_everywhere_it_is_named(repository: Path) -> None:
    assert get_args(Source) == tuple(SOURCES)
    modules = {path.stem for path in (repository / "lacuna/data/labels/sources").glob("*.py")}
    assert modules == {*SOURCES, "__init__", "folder_levels"}
    page = (repository / "docs/sources.md").read_text(encoding="utf-8")
    assert re.findall(r"^## `(\w+)`:", page, re.MULTILINE) == list(SOURCES)
    (comment,) = re.findall(r"# Sources: (.*?)\ndata:", (repository / "params.yaml").read_text(), re.DOTALL)
    assert re.findall(r"\w+", re.sub(r"\(.*?\)", "", comment, flags=re.DOTALL)) == list(SOURCES)


@pytest.mark.parametrize("source", LABELLED_BY_PLACE)
def test_sources_that_are_labelled_by_place_need_no_label_file(tiny_project: Any, source: str) -> None:
    changes = {"data.source": source, "data.path": "raw", "data.targets": {}}
    with pytest.raises(LacunaError, match=f"labels must be path again with source {source}"):
        tiny_project(changes | {"data.labels": "labels.csv"})
    assert tiny_project(changes | {"data.labels": "raw"}).data.labels == "raw"


GOOD = "".join(f"{number}.jpg,1,boot\n" for number in range(3, 60))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            'image,red,kind\n1.jpg,1,boot\n2.jpg,1,"boot\n' + GOOD,
            "labels.csv:3: lines 3 to 60 are one row of 3 cells: a double quote is never closed; 58 of 59 rows",
        ),
        (
            'image,red,kind\n"1.jpg,1,boot\n' + GOOD,
            "labels.csv:2: lines 2 to 59 are one row of 1 cell: a double quote is never closed",
        ),
        ('image,"red,kind\n1.jpg,1,boot\n' + GOOD, "labels.csv:1: lines 1 to 59 .* a double quote is never closed"),
        (
            'image,red,kind\n1.jpg,1,"boot\n' + GOOD * 300,
            "labels.csv:2: a double quote that is never closed",  # before its end the cell is too large for Python
        ),
    ],
    ids=["last column", "first column", "header", "large"],
)
def test_a_quote_that_is_never_closed_is_called_so_with_its_line(read: Any, content: str, message: str) -> None:
    with pytest.raises(LacunaError, match=message) as caught:
        read(content)
    assert "comma" not in str(caught.value)


def test_a_quote_that_another_rows_quote_closes_swallows_no_image_in_silence(read: Any) -> None:
    """The cells are as many as the header's: the quote of 2.jpg ends where that of 3.jpg begins."""
    content = 'image,red,kind,note\n1.jpg,1,boot,\n2.jpg,1,hat,"old\n3.jpg,0,boot,"new"\n' + GOOD.replace("\n", ",\n")
    found = read(content, max_rejected=0.1)
    assert [one.line for one in found.malformed] == [3, 4]
    assert found.malformed[0].reason == "lines 3 to 4 are one row of 4 cells: a double quote is not closed"
    assert len(found) == 58


@pytest.mark.parametrize("word", ["boot\nbrown", "boot\tbrown", "boot\0", "boot\u2028brown"])
def test_a_label_with_a_control_character_is_named_with_its_line(read: Any, word: str) -> None:
    with pytest.raises(LacunaError, match=r"labels.csv:3: the label 'boot.* of kind holds a control character"):
        read(f'image,red,kind\n1.jpg,1,boot\n2.jpg,1,"{word}"\n')


def test_a_class_folder_with_a_control_character_is_named_by_an_image_in_it(tiny_project: Any, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    data = tiny_project(
        {"data.source": "folders", "data.path": "raw", "data.labels": "raw", "data.targets": {"kind": "categorical"}}
    ).data
    with pytest.raises(LacunaError, match=r"^raw: boot.*/2\.jpg: the label 'boot\\rbrown' of kind holds a control"):
        read_labels(data, ["boot/1.jpg", "boot\rbrown/2.jpg"])


def test_byte_order_marks_of_files_that_were_put_together_are_none_of_the_header(read: Any) -> None:
    assert len(read("\ufeff\ufeffimage,red,kind\n" + GOOD)) == GOOD.count("\n")


def test_labels_may_be_long_and_hold_whatever_stands_in_one_line(read: Any) -> None:
    words = ("w/", "http://x", "ä" * 300, "..", "macro", "👩\u200d💻", "a b", "%2F", "../../x")
    found = read("image,red,kind\n" + "".join(f"{n}.jpg,1,{word}\n" for n, word in enumerate(words)))
    assert tuple(row.labels[1] for row in rows_of(found)) == words
