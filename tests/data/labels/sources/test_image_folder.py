"""Hugging Face's ImageFolder: metadata in the folder or in each split's."""

import json
from pathlib import Path

import pytest
from hypothesis import given

from lacuna.config.data import TargetColumn
from lacuna.data.labels.sources.image_folder import read_image_folder
from tests.label_sources import cells, mutations, read_with, refusal, survives

TARGETS = {"kind": "categorical", "red": "binary"}

LINES = [
    {"file_name": "a.jpg", "kind": "boot", "red": True, "who": 7},
    {"file_name": "deep/b.jpg", "kind": None, "red": 0, "who": "x"},
    {"file_name": "c.jpg", "kind": 3, "red": False, "who": None},
]


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / "raw"


def lines_of(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_json_lines(tmp_path: Path) -> None:
    root = write(tmp_path, {"metadata.jsonl": lines_of(LINES)})
    found = read_with(read_image_folder, root, targets=TARGETS, group_column="who")
    assert [tuple(found.row(number)) for number in range(3)] == [
        (1, "a.jpg", ("boot", "present"), "7", ""),
        (2, "deep/b.jpg", ("", "0"), "x", ""),
        (3, "c.jpg", ("3", "absent"), "", ""),
    ]
    assert len(read_with(read_image_folder, root / "metadata.jsonl", targets=TARGETS)) == 3


def test_split_folders_with_their_own_metadata(tmp_path: Path) -> None:
    head = "file_name,kind\n"
    files = {
        "train/metadata.csv": head + 'a.jpg,"boot, tall"\n\nb.jpg,hat\n',
        "validation/metadata.csv": head + "c.jpg,hat\n",
        "test/metadata.csv": "\ufeff" + head + "./d.jpg,\n",
    }
    found = read_with(read_image_folder, write(tmp_path, files), targets={"kind": "categorical"})
    rows = {found.image[n]: (found.line[n], found.split[n], found.labels["kind"][n]) for n in range(4)}
    assert rows == {
        "train/a.jpg": (2, "train", "boot, tall"),
        "train/b.jpg": (4, "train", "hat"),
        "validation/c.jpg": (2, "val", "hat"),
        "test/d.jpg": (2, "test", ""),
    }


def test_folders_called_like_splits_beside_others_are_none(tmp_path: Path) -> None:
    files = {"metadata.csv": "file_name,kind\ntrain/a.jpg,boot\nother/b.jpg,hat\n"}
    found = read_with(read_image_folder, write(tmp_path, files), targets={"kind": "categorical"})
    assert found.split.words == ("",)
    assert cells(found) == {"kind": ["boot", "hat"]}


GOOD = "file_name,kind,red\na.jpg,boot,1\n"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"x.txt": "x"}, "expected a metadata.csv or metadata.jsonl with file_name"),
        ({"metadata.csv": GOOD, "metadata.jsonl": lines_of(LINES)}, "both metadata.csv and metadata.jsonl"),
        ({"metadata.csv": ""}, "metadata.csv: the file is empty"),
        ({"metadata.csv": "file_name,kind,red\n"}, "metadata.csv: no row"),
        ({"metadata.csv": "name,kind,red\na,b,1\n"}, "metadata.csv:2: no 'file_name'; there are 'name', 'kind', 'red'"),
        ({"metadata.csv": GOOD.replace("red", "blue")}, "metadata.csv:2: no 'red'; there are"),
        ({"metadata.csv": GOOD.replace("red", "kind")}, "metadata.csv:1: more than one column 'kind'"),
        ({"metadata.csv": GOOD + "b.jpg,b"}, "metadata.csv:3: 2 cells, the header has 3; is it cut off?"),
        ({"metadata.csv": GOOD + 'b.jpg,"b'}, "metadata.csv:3: not valid CSV: unexpected end of data"),
        ({"metadata.csv": GOOD + f"b.jpg,{'x' * 200_000},1"}, "metadata.csv:3: not valid CSV: field larger"),
        ({"metadata.csv": (GOOD + "\u00fc,b,1\n").encode("latin-1")}, "metadata.csv:3: not UTF-8 text (byte 0xfc)"),
        ({"metadata.csv": b"PK\x03\x04 "}, "this is a ZIP archive or an Excel file"),
        ({"train/metadata.csv": GOOD, "test/metadata.csv": "file_name,kind\nb,c\n"}, "test/metadata.csv:2: no 'red'"),
        ({"metadata.jsonl": lines_of(LINES) + '{"file_name": "d'}, "metadata.jsonl:4: not valid JSON: Unterminated"),
        ({"metadata.jsonl": "[1]\n"}, "metadata.jsonl:1: expected an object as a line, received a list"),
        ({"metadata.jsonl": '{"file_name": "a", "file_name": "b"}'}, ":1: the key 'file_name' stands twice"),
        (
            {"metadata.jsonl": '{"file_name": 7, "kind": 1, "red": 1}'},
            ":1: expected a text as file_name, received a num",
        ),
        ({"metadata.jsonl": '{"file_name": "a", "kind": NaN}'}, ":1: NaN is no JSON value"),
        ({"metadata.jsonl": '{"file_name": "a", "kind": [], "red": 1}'}, ":1: 'kind' is a list, expected a text"),
        ({"metadata.jsonl": '{"a":' * 100_000}, "metadata.jsonl:1: lists or objects are nested too deep"),
        ({"metadata.jsonl": '{"a": ' + "9" * 5000 + "}"}, "metadata.jsonl:1: a number of too many digits"),
        ({"metadata.jsonl": "x" * (17 << 20)}, "metadata.jsonl:1: a line of more than"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_is_wrong_is_said_with_file_and_line(tmp_path: Path, files: dict[str, str | bytes], message: str) -> None:
    assert message in refusal(read_image_folder, write(tmp_path, files), targets=TARGETS)


def test_targets_have_to_be_named(tmp_path: Path) -> None:
    message = refusal(read_image_folder, write(tmp_path, {"metadata.csv": GOOD}))
    assert message.endswith("metadata.csv: data.targets must name the columns to learn; there are 'kind', 'red'")


def test_a_hundred_thousand_columns_are_read_or_named_in_brief(tmp_path: Path) -> None:
    names = [f"column {number}" for number in range(100_000)]
    content = ",".join(["file_name", *names]) + "\n" + ",".join(["a.jpg", *names]) + "\n"
    root = write(tmp_path, {"metadata.csv": content})
    assert "and 99976 more" in refusal(read_image_folder, root)
    assert cells(read_with(read_image_folder, root, targets={"column 9": "categorical"})) == {"column 9": ["column 9"]}


@given(text=mutations(LINES))
def test_whatever_is_wrong_with_a_line_it_is_read_or_refused_in_one_line(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = json.loads(text)
    content = lines_of(rows) if isinstance(rows, list) else text
    root = write(tmp_path_factory.getbasetemp(), {"metadata.jsonl": content or "{}"})
    targets = {name: TargetColumn(kind=kind) for name, kind in TARGETS.items()}
    survives(lambda data, images: read_image_folder(data.model_copy(update={"targets": targets}), images), root)
