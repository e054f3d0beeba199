"""Tables in columns are the same files as those written row by row, and come back as they were."""

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lacuna.errors import LacunaError
from lacuna.io import csv_columns
from lacuna.io.csv_columns import read_csv_columns, write_csv_columns
from lacuna.io.csv_files import write_csv

TEXTS = (
    st.text(st.sampled_from("a,;\"'\r\n\t\0 \u2028\x85ü\ufeff#"))
    | st.text()
    | st.sampled_from(["NA", "007", "nan", "null"])
)
ROWS = st.lists(st.tuples(TEXTS, st.integers(-(2**63), 2**63 - 1), TEXTS), max_size=8)


@given(ROWS, st.integers(1, 4))
def test_columns_are_written_as_rows_are_and_come_back(rows: list[tuple[str, int, str]], rows_at_once: int) -> None:
    header = ("a, b", "n", "c")
    columns = [list(cells) for cells in zip(*rows, strict=True)] or [[], [], []]
    types = dict(zip(header, (pa.string(), pa.int64(), pa.string()), strict=True))
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_columns, "WRITTEN_AT_ONCE", rows_at_once)
        path, other = Path(folder, "columns.csv"), Path(folder, "rows.csv")
        write_csv(other, header, rows)
        for text in (columns[0], np.array(columns[0], dtype=object), pa.array(columns[0], pa.string())):
            write_csv_columns(path, dict(zip(header, (text, np.array(columns[1], np.int64), columns[2]), strict=True)))
            assert path.read_bytes() == other.read_bytes()
        table = read_csv_columns(path, types, "")
    assert [table.column(name).to_pylist() for name in header] == columns


def test_what_is_no_utf_8_is_escaped_and_bytes_are_digits(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    hashes = pa.array([b"\0\xff", b"ab", b"\n,"], pa.binary(2))
    write_csv_columns(path, {"image": ["b\udce4r.png", "a"], "hash": hashes[1:]})
    assert path.read_bytes() == b"image,hash\nb\\udce4r.png,6162\na,0a2c\n"
    table = read_csv_columns(path, {"hash": pa.binary(2), "image": pa.string()}, "")
    assert table.to_pydict() == {"hash": [b"ab", b"\n,"], "image": ["b\\udce4r.png", "a"]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("image,n\na,1\n", "no column group, hash; "),
        ("image,n,group,hash\na,1.5,0,6162\n", "1.5"),
        ("image,n,group,hash\na,,0,6162\n", "int64"),
        ("image,n,group,hash\na,1,70000,6162\n", "int16"),
        ("image,n,group,hash\na,1,0,616\n", "fixed_size_binary"),
        ("image,n,group,hash\na,1,0,61zz\n", "exadecimal"),
        ("image,n,group,hash\na,1,0\n", "Expected 4 columns"),
    ],
)
def test_another_table_is_said_in_one_line(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(content)
    types = {"image": pa.string(), "n": pa.int64(), "group": pa.int16(), "hash": pa.binary(2)}
    with pytest.raises(LacunaError, match=rf"^{re.escape(str(path))}: .*{said}.*run this$"):
        read_csv_columns(path, types, "run this")
