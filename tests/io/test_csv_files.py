"""Tables come back as they were written, whatever the names of files and classes hold."""

import csv
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lacuna.io.csv_files import read_csv, write_csv
from lacuna.io.names import printable

CELLS = st.text(st.sampled_from("a,;\"'\r\n\t\0 \u2028\x85ü\ufeff")) | st.text()
TABLES = st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n), max_size=5))


@given(TABLES)
def test_every_cell_comes_back_as_it_was(rows: list[list[str]]) -> None:
    header = [f"column {number}" for number in range(len(rows[0]) if rows else 1)]
    with TemporaryDirectory() as folder:
        path = Path(folder, "table.csv")
        write_csv(path, header, rows)
        assert [list(row.values()) for row in read_csv(path)] == rows
        with open(path, encoding="utf-8", newline="") as file:
            assert list(csv.reader(file, strict=True)) == [header, *rows]  # any other reader agrees


def test_a_line_ends_in_a_line_feed_and_only_what_must_be_is_quoted(tmp_path: Path) -> None:
    write_csv(tmp_path / "table.csv", ("image", "n"), [("a\rb.png", 1), ("c d.png", None), ('"e", f.png', 2.5)])
    assert (tmp_path / "table.csv").read_bytes() == b'image,n\n"a\rb.png",1\nc d.png,\n"""e"", f.png",2.5\n'


def test_bytes_that_are_no_utf_8_are_escaped(tmp_path: Path) -> None:
    write_csv(tmp_path / "table.csv", ("image",), [("b\udce4r.png",)])
    assert read_csv(tmp_path / "table.csv") == [{"image": "b\\udce4r.png"}]


@pytest.mark.parametrize(
    ("name", "shown"),
    [("Bär 1.png", "Bär 1.png"), ("a\rb", "a\\rb"), ("\x1b[2J", "\\x1b[2J"), ("b\udce4r", "b\\udce4r"), ("\\", "\\")],
)
def test_a_name_is_shown_in_one_line_without_control_characters(name: str, shown: str) -> None:
    assert printable(name) == shown
