import csv
import tempfile
from pathlib import Path

import pyarrow
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from lacuna.errors import LacunaError
from lacuna.inference.listing import LONGEST_LINE, cut_listing
from lacuna.io.repeated_names import RepeatedNames

NAMES = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\x00\ufeff"), max_size=8))
CELLS = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8))


def write_text(path, names):
    path.write_text("\ufeff" + "\r\n".join(names), encoding="utf-8", newline="")
    return str(path)


def write_table(path, names):
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([["label", "image"], *(["x,\ny", name] for name in names)])
    return str(path)


def write_parquet(path, names):
    cells = [name or None for name in names]
    table = pyarrow.table({"label": [1] * len(cells), "image": pyarrow.array(cells, pyarrow.string())})
    parquet.write_table(table, path, row_group_size=3)
    return str(path)


def assert_slices_are_the_names(listing, names, size):
    wanted = [name for name in names if name]
    if not wanted:
        with pytest.raises(LacunaError, match="no name in this listing"):
            list(cut_listing(listing, None, size))
        return
    slices = list(cut_listing(listing, None, size))
    assert [name for _, found in slices for name in found] == wanted
    assert [found for _, found in slices] == [wanted[at : at + size] for at in range(0, len(wanted), size)]
    assert [piece.read() for piece, _ in reversed(slices)] == [found for _, found in reversed(slices)]


@given(NAMES, st.integers(1, 5))
@example(["a.png", "", "b.png"], 1)
def test_slices_of_a_text_are_its_lines(names, size):
    with tempfile.TemporaryDirectory() as folder:
        assert_slices_are_the_names(write_text(Path(folder, "l.txt"), names), names, size)


@given(CELLS, st.integers(1, 5), st.sampled_from([("l.csv", write_table), ("l.parquet", write_parquet)]))
def test_slices_of_a_table_are_the_cells_of_its_column(names, size, kind):
    with tempfile.TemporaryDirectory() as folder:
        assert_slices_are_the_names(kind[1](Path(folder, kind[0]), names), names, size)


@pytest.mark.parametrize("name", ["l.txt", "l.csv", "l.parquet"])
def test_what_is_no_listing_is_refused_in_one_line(name, tmp_path):
    listing = str(tmp_path / name)
    with pytest.raises(LacunaError, match=r"l\.\w+: no such file"):
        list(cut_listing(listing, None, 5))
    for content in (b"\x89PNG", b"x" * LONGEST_LINE):
        Path(listing).write_bytes(content)
        with pytest.raises(LacunaError, match=r"l\.\w+: not a listing"):
            list(cut_listing(listing, None, 5))


def test_a_line_in_another_encoding_is_named(tmp_path):
    listing = tmp_path / "l.txt"
    listing.write_bytes(b"a.png\ncaf\xe9.png\n")
    with pytest.raises(LacunaError, match=r"l\.txt: .*line from byte 6 on, 'caf\\\\xe9\.png'"):
        list(cut_listing(str(listing), None, 5))


def test_the_column_is_the_one_that_is_asked_for(tmp_path):
    listing = write_table(tmp_path / "l.csv", ["a.png"])
    assert [found for _, found in cut_listing(listing, "label", 5)] == [["x,\ny"]]
    with pytest.raises(LacunaError, match="expected a column photo, received label, image"):
        list(cut_listing(listing, "photo", 5))
    with pytest.raises(LacunaError, match="has no columns: leave out --column photo"):
        list(cut_listing(write_text(tmp_path / "l.txt", ["a.png"]), "photo", 5))


@pytest.mark.parametrize("cell", [{"bytes": b"", "path": "a.png"}, ["a.png"]])
def test_a_column_of_something_else_than_text_is_refused_in_one_line(cell, tmp_path):
    parquet.write_table(pyarrow.table({"image": [cell]}), tmp_path / "l.parquet")
    with pytest.raises(LacunaError, match=r"expected text in column image, received (struct|list)<"):
        list(cut_listing(str(tmp_path / "l.parquet"), None, 5))


@settings(max_examples=30)
@given(st.lists(st.lists(st.sampled_from(["a", "b", "c", "\udc80", "ä"]) | st.text(max_size=3), min_size=1)))
def test_a_name_is_repeated_where_it_stood_before(parts):
    names, seen = [name for part in parts for name in part], set()
    expected = [name in seen or seen.add(name) is not None for name in names]
    with RepeatedNames() as known:
        for part in parts:
            known.add(part)
        assert known.find().tolist() == expected
