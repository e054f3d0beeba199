"""The URLs of a file, in the dresses that lists and tables come in."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from lacuna.data.downloads.url_list import UrlList, read_urls
from lacuna.errors import LacunaError
from tests.conftest import TinyProject
from tests.xlsx_files import write_xlsx

A, B = "https://a.org/1.jpg", "https://b.org/2,3.jpg?x=1;2"
Read = Callable[..., UrlList]


@pytest.fixture
def read(tiny_project: TinyProject, tmp_path: Path) -> Read:
    data = tiny_project({}).data

    def read(name: str, content: str | bytes, column: str = "") -> UrlList:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_urls(path, column, data)

    return read


@pytest.mark.parametrize(
    "content",
    [f"{A}\n{B}\n", f"# mine\r\n\r\n  {A}  \r\n{B}\r\n{A}", f"\ufeff{A}\n{B}", f"{A}\n{B}\n".encode("utf-16")],
)
def test_a_text_of_a_url_a_line(read: Read, content: str | bytes) -> None:
    assert read("urls.txt", content) == UrlList([A, B], "")


def test_a_line_that_is_no_url_is_among_them(read: Read) -> None:
    assert read("urls.txt", f"{A}\nftp://a.org/1.jpg\n").urls == [A, "ftp://a.org/1.jpg"]
    assert read("urls.txt", f"{A}\nmy cat.jpg\n{A}2\n").urls == [A, "my cat.jpg", f"{A}2"]


def test_the_column_of_a_table_is_found(read: Read) -> None:
    assert read("t.csv", f'id,where,colour\n1,{A},red\n2,"{B}",\n3,,blue\n') == UrlList([A, B], "where")
    assert read("t.csv", f"id;where\n1;{A}\n") == UrlList([A], "where")
    assert read("t.csv", f"where\n{A}\nNA\n{A}\n{A}x\n") == UrlList([A, "NA", f"{A}x"], "where")


@pytest.mark.parametrize("name", ["t.xlsx", "t.parquet", "t.json", "t.jsonl", "t.csv.gz"])
def test_tables_of_every_format(read: Read, tmp_path: Path, name: str) -> None:
    table = pd.DataFrame({"id": [1, 2], "where": [A, B]})
    if name == "t.xlsx":
        write_xlsx(tmp_path / "made", {"Blatt": [["id", "where"], [1, A], [2, B]]})
    elif name == "t.parquet":
        table.to_parquet(tmp_path / "made")
    elif name == "t.csv.gz":
        table.to_csv(tmp_path / "made", index=False, compression="gzip")
    else:
        table.to_json(tmp_path / "made", orient="records", lines=name == "t.jsonl")
    assert read(name, (tmp_path / "made").read_bytes()) == UrlList([A, B], "where")


def test_a_table_without_a_header(read: Read) -> None:
    assert read("t.csv", f"{A},cat\n{A}2,dog\n") == UrlList([A, f"{A}2"], "column_1")
    assert read("t.txt", f"cat\t{A}\ndog\t{A}2\n") == UrlList([A, f"{A}2"], "column_2")


def test_of_several_columns_that_of_images_is_taken_or_one_must_be_named(read: Read) -> None:
    page = "https://a.org/page"
    assert read("t.csv", f"page,image\n{page},{A}\n").column == "image"
    two = f"image,thumb\n{A},{A}?s\n"
    with pytest.raises(LacunaError, match=r"t.csv: 'image', 'thumb' hold URLs; --column must name the one"):
        read("t.csv", two)
    assert read("t.csv", two, "thumb").urls == [f"{A}?s"]


def test_text_in_an_older_encoding_holds_the_same_urls(read: Read) -> None:
    assert read("t.csv", f"where,name\n{A},Käse\n".encode("cp1252")).urls == [A]


def test_lines_that_are_no_row_are_counted(read: Read) -> None:
    found = read("t.csv", f"where,name\n{A},a\n{A}2,b,c\n{A}3,d\n")
    assert (found.urls, found.n_malformed) == ([A, f"{A}3"], 1)
    assert found.flaw.endswith("t.csv:3: 3 cells, the header has 2")


@pytest.mark.parametrize(
    ("name", "content", "column", "message"),
    [
        ("t.csv", "a,b\n1,2\n", "", "t.csv: no column holds URLs; its columns: 'a', 'b'; --column must name"),
        ("t.csv", f"a,b\n1,{A}\n", "c", r"t.csv: no column 'c' \(--column\), expected one of 'a', 'b'"),
        ("t.csv", "a,b\n,2\n", "a", "t.csv: column 'a' is empty, expected URLs"),
        ("t.json", f'[{{"{A}": 1}}]', "", "t.json: its first row holds a URL, expected the names of columns"),
        ("t.txt", "", "", "t.txt: the label file is empty"),
    ],
)
def test_a_mistake_is_one_line(read: Read, name: str, content: str, column: str, message: str) -> None:
    with pytest.raises(LacunaError, match=message) as caught:
        read(name, content, column)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tiny_project: TinyProject) -> None:
    with pytest.raises(LacunaError, match=r"none.txt: no such file; expected a text of a URL a line, or a table"):
        read_urls(Path("none.txt"), "", tiny_project({}).data)
