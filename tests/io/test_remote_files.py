"""Files that appear whole, wherever they are."""

import os
from pathlib import Path

import pytest
from pyarrow import parquet, table

from lacuna.io.remote_files import place_in, write_whole


def test_what_a_killed_writer_leaves_is_no_part_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet.write_table(table({"image": ["a.jpg"]}), tmp_path / "other.parquet")
    content = (tmp_path / "other.parquet").read_bytes()
    (tmp_path / "out").mkdir()
    left: list[Path] = []
    rename = os.replace

    def killed(source: Path, target: Path) -> None:
        left.append(Path(source).with_suffix(".left.partial"))
        rename(source, left[0])  # as it would lie there
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_whole(str(tmp_path / "out/part-1.parquet"), content)
    monkeypatch.undo()
    write_whole(str(tmp_path / "out/part-1.parquet"), content)

    assert left[0].read_bytes() == content
    assert parquet.read_table(tmp_path / "out").num_rows == 1
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"part-1.parquet", left[0].name}


@pytest.mark.parametrize(
    ("folder", "name", "place"),
    [
        ("s3://photos/of", "a/b.png", "s3://photos/of/a/b.png"),
        ("s3://photos/of/", "./a.png", "s3://photos/of/a.png"),
        ("s3://photos/of", "s3://others/a.png", "s3://others/a.png"),
        ("s3://photos/of", "/a.png", "/a.png"),
        ("of", "a.png", "of/a.png"),
    ],
)
def test_where_a_name_is(folder: str, name: str, place: str) -> None:
    assert place_in(folder, name) == place
