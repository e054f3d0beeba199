"""Images keep the part that they had, whatever arrives beside them."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from lacuna.errors import LacunaError
from lacuna.io.csv_files import read_csv
from stages.prepare import prepare
from tests.stages.prepare_inputs import CHANGES, N, good_rows, write_files, write_ingested, write_labels


@pytest.fixture
def ingested(tmp_path: Path) -> None:
    write_ingested(tmp_path / "data/images")


def parts_by_content(contents: list[int]) -> dict[int, str]:
    """The part of each image, by what was its content in `write_files`."""
    return {contents[int(line["row"])]: line["split"] for line in read_csv(Path("data/prepared/manifest.csv"))}


@pytest.mark.usefixtures("ingested")
def test_who_adds_and_renames_images_finds_the_others_where_they_were(tiny_project: Any, capsys: Any) -> None:
    params = tiny_project(CHANGES)
    write_labels(good_rows())
    prepare(params)
    before = parts_by_content(list(range(N)))
    names = [f"a{number}.png" for number in range(20)] + [f"old/{number:02}.png" for number in range(N)]
    contents = [*range(1000, 1020), *range(N)]
    write_files(Path("data/images"), names, contents)
    write_labels([[name, "1", "boot"] for name in names[:20]] + [["old/" + row[0], *row[1:]] for row in good_rows()])
    prepare(params)
    after = parts_by_content(contents)
    assert {content: after[content] for content in before} == before
    assert abs(list(after.values()).count("test") - 16) <= 2
    assert "did not keep their part" not in capsys.readouterr().out

    from_nothing = tiny_project({**CHANGES, "split.keep": False})
    prepare(from_nothing)
    dealt = parts_by_content(contents)
    shutil.rmtree("data/prepared")
    prepare(params)
    assert parts_by_content(contents) == dealt
    prepare(tiny_project({**CHANGES, "split.seed": 1}))
    reseeded = parts_by_content(contents)
    shutil.rmtree("data/prepared")
    prepare(tiny_project({**CHANGES, "split.seed": 1}))
    assert parts_by_content(contents) == reseeded != dealt


@pytest.mark.usefixtures("ingested")
def test_groups_that_become_one_are_said(tiny_project: Any, capsys: Any) -> None:
    header = ("image", "red", "kind", "patient")
    params = tiny_project({**CHANGES, "data.group_column": "patient"})
    rows = [[*row, f"p{number}"] for number, row in enumerate(good_rows())]
    write_labels(rows, header)
    prepare(params)
    before = parts_by_content(list(range(N)))
    in_test = next(content for content in range(2, N) if before[content] == "test")
    in_train = next(content for content in range(2, N) if before[content] == "train")
    rows[in_train][3] = rows[in_test][3]
    write_labels(rows, header)
    prepare(params)
    after = parts_by_content(list(range(N)))
    assert {content for content in before if after[content] != before[content]} == {in_train}
    assert after[in_train] == "test"
    assert "warning: 1 of 60 images did not keep their part: from train to test 1" in capsys.readouterr().out


@pytest.mark.usefixtures("ingested")
def test_a_spoilt_record_of_the_split_is_named(tiny_project: Any) -> None:
    write_labels(good_rows())
    for content in ('{"parts": {"00": "nowhere"}}', "[]", '{"parts": 7}', "{"):
        Path("data/prepared").mkdir(exist_ok=True)
        Path("data/prepared/split.json").write_text(content)
        with pytest.raises(LacunaError, match=r"data/prepared/split\.json: "):
            prepare(tiny_project(CHANGES))
