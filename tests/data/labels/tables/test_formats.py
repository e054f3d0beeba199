"""The same table in every format that people have, and the ways in which such files are broken."""

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lacuna.config.data import Data
from lacuna.data.labels.label_table import LabelTable
from lacuna.data.labels.sources.table import read_table
from lacuna.data.labels.tables.excel_sheet import MOST_SHEET_CELLS, sheet_names
from lacuna.errors import LacunaError
from tests.tiny_project import write_params
from tests.xlsx_files import write_xlsx

HEADER = ["image", "code", "land", "striped"]
ROWS = [["a.jpg", "007", "NA", "1"], ["b, c.jpg", "1.0", "Österreich", ""], ["d.jpg", "7", "None", "0"]]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def read(name: str, **changes: Any) -> LabelTable:
        targets = {"code": "categorical", "land": "categorical", "striped": "binary"}
        own = {"labels": name, "targets": targets, "group_column": "", **changes}
        return read_table(write_params(tmp_path, {f"data.{key}": value for key, value in own.items()}).data, [])

    return read


def words(table: LabelTable) -> list[list[str]]:
    return [[row.image, *row.labels] for row in map(table.row, range(len(table)))]


def text(delimiter: str = ",", header: bool = True) -> str:
    frame = pd.DataFrame(ROWS, columns=HEADER)
    return frame.to_csv(sep=delimiter, index=False, header=header)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzipped"])
def test_text_between_any_delimiters_in_any_encoding(read: Any, delimiter: str, encoding: str, zipped: bool) -> None:
    content = text(delimiter).encode(encoding)
    Path("labels.csv.gz" if zipped else "labels.csv").write_bytes(
        gzip.compress(content, mtime=0) if zipped else content
    )
    own = {"encoding": encoding} if encoding == "cp1252" else {}
    found = read("labels.csv.gz" if zipped else "labels.csv", **own)
    assert words(found) == ROWS
    assert found.line.tolist() == [2, 3, 4]


def test_a_table_without_header_has_its_columns_named(read: Any) -> None:
    Path("labels.txt").write_text(text(";", header=False), encoding="utf-8")
    found = read("labels.txt", columns=HEADER)
    assert words(found) == ROWS
    assert found.line.tolist() == [1, 2, 3]


def test_above_the_header_may_stand_comments_and_what_excel_needs(read: Any) -> None:
    Path("labels.csv").write_text("# made by hand\n\nsep=;\n" + text(";"), encoding="utf-8")
    found = read("labels.csv")
    assert words(found) == ROWS
    assert found.line.tolist() == [5, 6, 7]
    Path("labels.csv").write_text("#image,code,land,striped\n" + text(header=False), encoding="utf-8")
    assert words(read("labels.csv", image_column="#image")) == ROWS


def test_delimiters_at_the_end_of_lines_are_no_cells(read: Any) -> None:
    Path("labels.csv").write_text("image,code,land,striped\na.jpg,1,x,1,,\nb.jpg,2,y,0\n")
    assert words(read("labels.csv")) == [["a.jpg", "1", "x", "1"], ["b.jpg", "2", "y", "0"]]


@pytest.mark.parametrize("name", ["labels.xlsx", "labels.csv"])
def test_excel_is_read_whatever_it_is_called(read: Any, name: str) -> None:
    write_xlsx(Path(name), {"Tabelle 1": [[None] * 4, HEADER, *ROWS, [None, None, None, None]]})
    found = read(name)
    assert words(found) == ROWS
    assert found.line.tolist() == [3, 4, 5]


def test_numbers_and_truth_values_of_a_sheet_are_words(read: Any) -> None:
    write_xlsx(Path("labels.xlsx"), {"first": [["x"]], "labels": [HEADER, ["a.jpg", 7, 0.5, True], ["b", 7.0, 2e3, 0]]})
    assert words(read("labels.xlsx", sheet="labels")) == [["a.jpg", "7", "0.5", "true"], ["b", "7", "2000", "0"]]
    with pytest.raises(LacunaError, match=r"labels.xlsx: 2 sheets; data.sheet must name one of 'first', 'labels'"):
        read("labels.xlsx")
    with pytest.raises(LacunaError, match=r"labels.xlsx: no sheet 'other'; data.sheet must name one of"):
        read("labels.xlsx", sheet="other")


def test_formulas_that_nobody_computed_are_refused(read: Any) -> None:
    write_xlsx(Path("labels.xlsx"), {"s": [HEADER, ["a.jpg", "1", "x", "=1+1"]]})
    with pytest.raises(LacunaError, match=r"sheet1.xml holds formulas without a value; open the file"):
        read("labels.xlsx")


def test_a_sheet_that_reaches_too_far_is_refused_before_it_fills_the_memory(read: Any) -> None:
    write_xlsx(Path("labels.xlsx"), {"s": [HEADER, *ROWS]})
    with zipfile.ZipFile("labels.xlsx") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"].replace(b'<c r="A4"', b'<c r="XFD1048576"')
    parts["xl/worksheets/sheet1.xml"] = sheet.replace(b'<row r="4"', b'<row r="1048576"')
    with zipfile.ZipFile("labels.xlsx", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    assert MOST_SHEET_CELLS < 16384 * 1048576
    with pytest.raises(LacunaError, match=r"reaches to row 1048576, too large for a label file"):
        read("labels.xlsx")


def test_an_archive_that_is_no_excel_file_is_refused(read: Any) -> None:
    for name in ("labels.ods", "labels.xlsx"):
        with zipfile.ZipFile(name, "w") as archive:
            archive.writestr("content.xml", "<office:document-content/>")
        with pytest.raises(
            LacunaError, match=rf"{name}: no Excel file, but another archive, .* save the table as .xlsx"
        ):
            read(name)
        assert sheet_names(Path(name)) == []


def test_parquet_with_columns_of_any_type(read: Any) -> None:
    columns = {
        "image": pa.array([row[0] for row in ROWS]).dictionary_encode(),
        "code": pa.array(["007", "1.0", "7"]),
        "land": pa.array([7.0, None, 0.5]),
        "striped": pa.array([True, None, False]),
        "pixels": pa.array([b"1", b"2", b"3"]),
    }
    pq.write_table(pa.table(columns), "labels.parquet")
    names = [row[0] for row in ROWS]
    cells = [["007", "7", "true"], ["1.0", "", ""], ["7", "0.5", "false"]]
    assert words(read("labels.parquet")) == [[name, *row] for name, row in zip(names, cells, strict=True)]
    with pytest.raises(LacunaError, match=r"labels.parquet: column 'pixels' holds binary, expected text"):
        read("labels.parquet", targets={"pixels": "categorical"})


RECORDS = [dict(zip(HEADER, row, strict=True)) for row in ROWS]


@pytest.mark.parametrize("orient", ["records", "columns", "split", "table", "list", "lines"])
def test_json_as_pandas_writes_it(read: Any, orient: str) -> None:
    frame = pd.DataFrame(RECORDS)
    if orient == "list":
        content = json.dumps(frame.to_dict("list"))
    elif orient == "lines":
        content = frame.to_json(orient="records", lines=True)
    else:
        content = frame.to_json(orient=orient)  # type: ignore[call-overload]
    Path("labels.json").write_text(content, encoding="utf-8")
    assert words(read("labels.json")) == ROWS


def test_what_json_holds_is_what_it_says(read: Any) -> None:
    Path("labels.jsonl").write_text(
        '{"image": "a.jpg", "code": 7, "land": 1.0, "striped": true}\n\n'
        '{"image": "b.jpg", "code": "007", "land": null}\n{"image": "c.jpg", "code": ["x", "y"], "striped": false}\n'
    )
    found = read("labels.jsonl")
    assert words(found) == [
        ["a.jpg", "7", "1.0", "true"],
        ["b.jpg", "007", "", ""],
        ["c.jpg", '["x", "y"]', "", "false"],
    ]
    assert found.line.tolist() == [1, 3, 4]


BROKEN = [
    ("labels.json", b'[{"image": "a"', r"labels.json:1: not valid JSON"),
    ("labels.json", b"[" * 100_000, r"labels.json: JSON nested too deeply|not valid JSON"),
    ("labels.json", b'{"a":' * 100_000, r"labels.json: JSON nested too deeply|not valid JSON"),
    ("labels.json", b"7", r"labels.json: a single JSON value"),
    ("labels.json", b"[1, 2]", r"labels.json: row 1 is a text or number, expected an object"),
    ("labels.json", b'[{"image": "a", "image": "b"}]', r"labels.json: the key 'image' stands twice in an object"),
    (
        "labels.json",
        b'{"image": ["a"], "code": []}',
        r"labels.json: the columns of this JSON object have different rows",
    ),
    ("labels.jsonl", b'{"image": "a"}\n{"image"', r"labels.jsonl:2: not valid JSON"),
    ("labels.xlsx", b"PK\x03\x04 and nothing", r"labels.xlsx: not an Excel file"),
    ("labels.xls", b"\xd0\xcf\x11\xe0" + b"x" * 600, r"labels.xls: not an Excel file that can be read"),
    ("labels.parquet", b"PAR1 and nothing", r"labels.parquet: a Parquet file that cannot be read"),
    ("labels.csv", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, r"labels.csv: this is a PNG image; expected text"),
    ("labels.csv.gz", gzip.compress(b"image,code\n" * 99, mtime=0)[:40], r"a gzip file that is damaged or cut off"),
    ("labels.csv", "image,größe\n".encode("cp1252"), r"labels.csv:1: not UTF-8 text \(byte 0xf6\); data.encoding must"),
    ("labels.csv", b",".join(b"%d" % k for k in range(100_000)) + b"\n1\n", r"no column 'image'"),
]


@pytest.mark.parametrize(
    ("name", "content", "message"), BROKEN, ids=[f"{name}: {message}" for name, _, message in BROKEN]
)
def test_a_broken_file_is_named_in_one_short_line(read: Any, name: str, content: bytes, message: str) -> None:
    Path(name).write_bytes(content)
    with pytest.raises(LacunaError, match=message) as caught:
        read(name)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


CELLS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")), max_size=6)


@pytest.fixture(scope="module")
def own_table(tmp_path_factory: Any) -> Data:
    """A table that is not there yet."""
    own = {"targets": {"kind": "categorical", "striped": "binary"}, "group_column": ""}
    return write_params(tmp_path_factory.mktemp("own"), {f"data.{key}": value for key, value in own.items()}).data


@settings(max_examples=60)
@given(
    st.lists(st.tuples(CELLS.filter(str.strip), CELLS, st.sampled_from(["0", "1", ""])), min_size=1, max_size=6),
    st.sampled_from([",", ";", "\t", "|", "json", "lines", "parquet"]),
)
def test_what_pandas_writes_is_read_as_it_was(own_table: Data, tmp_path_factory: Any, rows: Any, form: str) -> None:
    frame = pd.DataFrame(rows, columns=["image", "kind", "striped"])
    folder = tmp_path_factory.mktemp("table")
    suffix = {"json": "json", "lines": "jsonl", "parquet": "parquet"}.get(form, "csv")
    path = folder / f"labels.{suffix}"
    if form == "json":
        frame.to_json(path, orient="records")
    elif form == "lines":
        frame.to_json(path, orient="records", lines=True)
    elif form == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, sep=form, index=False)
    data = own_table.model_copy(update={"labels": str(path)})
    assert words(read_table(data, [])) == [[cell.strip() for cell in row] for row in rows]


def test_a_table_is_read_back_as_pandas_reads_it(read: Any) -> None:
    rows = "\n".join(f"{k}.jpg,{k % 7},{'xyz'[k % 3]},{k % 2}" for k in range(2000))
    Path("labels.csv").write_text(f"image,code,land,striped\n{rows}\n")
    frame = pd.read_csv(io.StringIO(Path("labels.csv").read_text()), dtype=str, keep_default_na=False)
    assert words(read("labels.csv")) == frame.to_numpy().tolist()


def nested(form: str) -> Any:
    """The same labels of three images in forms in which an object's keys are names."""
    match form:
        case "class":
            return {"a.jpg": "cat", "b.jpg": None, "c.jpg": "dog"}
        case "attributes":
            return {"a.jpg": {"label": "cat"}, "b.jpg": {"other": 1}, "c.jpg": {"label": "dog"}}
        case "names":
            return {"cat": ["a.jpg"], "dog": ["c.jpg"]}
        case "images":
            return {"images": nested("class")}
        case "labels":
            return {"info": {"year": 2020}, "labels": nested("attributes")}
    return {f"{k}": {"name": name, "label": word} for k, (name, word) in enumerate(nested("class").items())}


@pytest.mark.parametrize("form", ["class", "attributes", "names", "images", "labels", "numbered"])
def test_json_in_which_keys_are_names(read: Any, form: str) -> None:
    Path("labels.json").write_text(json.dumps(nested(form)), encoding="utf-8")
    found = read("labels.json", image_column="name", targets={"kind": {"kind": "categorical", "column": "label"}})
    rows = {found.image[row]: found.labels["kind"][row] for row in range(len(found))}
    assert rows == ({} if form == "names" else {"b.jpg": ""}) | {"a.jpg": "cat", "c.jpg": "dog"}


def test_an_image_under_two_classes_has_a_row_of_each(read: Any) -> None:
    Path("labels.json").write_text('{"cat": ["a.jpg", "b.jpg"], "dog": ["b.jpg"]}', encoding="utf-8")
    found = read("labels.json", image_column="name", targets={"label": "categorical"})
    assert [found.row(row)[1:3] for row in range(3)] == [("a.jpg", ("cat",)), ("b.jpg", ("cat",)), ("b.jpg", ("dog",))]
