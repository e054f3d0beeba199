"""Images keep the part that they had, whatever arrives beside them."""

from pathlib import Path
from typing import Any

import pytest

from lacuna.errors import LacunaError
from lacuna.io.atomic import write_json
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
    assert "did not keep" not in capsys.readouterr().out


@pytest.mark.usefixtures("ingested")
def test_images_that_were_away_and_other_seeds_change_nothing(tiny_project: Any) -> None:
    """Nor do labels that came meanwhile, which would have had the images dealt otherwise."""
    prepared = {}
    for seed in (0, 1):
        write_labels(good_rows())
        prepare(tiny_project({**CHANGES, "split.seed": seed}))
        prepared[seed] = parts_by_content(list(range(N)))
    assert prepared[0] != prepared[1]
    write_labels(good_rows()[:40])
    prepare(tiny_project(CHANGES))
    write_labels([[*row[:2], "boot"] if number % 2 else row for number, row in enumerate(good_rows())])
    for seed in (1, 0):
        prepare(tiny_project({**CHANGES, "split.seed": seed}))
        assert parts_by_content(list(range(N))) == prepared[seed]


@pytest.mark.usefixtures("ingested")
def test_without_keeping_all_is_as_in_a_first_run(tiny_project: Any) -> None:
    write_labels(good_rows()[:30])
    prepare(tiny_project(CHANGES))
    write_labels(good_rows())
    prepare(tiny_project({**CHANGES, "split.keep": False}))
    dealt = parts_by_content(list(range(N)))
    Path("data/split.csv").unlink()
    prepare(tiny_project(CHANGES))
    assert parts_by_content(list(range(N))) == dealt


@pytest.mark.usefixtures("ingested")
def test_of_copies_in_several_given_parts_the_one_in_test_counts(tiny_project: Any, capsys: Any) -> None:
    contents = [*range(50), *range(10)]
    write_files(Path("data/images"), [f"{number:02}.png" for number in range(N)], contents)
    header = ("image", "red", "kind", "part")
    parts = [("train", "test", "val")[number // 3 % 3] if number < 50 else "test" for number in range(N)]
    write_labels([[*row, part] for row, part in zip(good_rows(), parts, strict=True)], header)
    given = tiny_project({**CHANGES, "data.split_column": "part"})
    prepare(given)
    prepare(given)
    assert "did not keep" not in capsys.readouterr().out
    prepare(tiny_project(CHANGES))
    after = [line["split"] for line in read_csv(Path("data/prepared/manifest.csv"))]
    assert after == ["test" if content < 10 else parts[content] for content in contents]


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
    assert "warning: 1 image did not keep the former part" in capsys.readouterr().out


@pytest.mark.usefixtures("ingested")
def test_the_record_of_former_versions_is_read_and_becomes_the_new_one(tiny_project: Any, capsys: Any) -> None:
    write_labels(good_rows())
    prepare(tiny_project(CHANGES))
    dealt = parts_by_content(list(range(N)))
    other = {f"{content:064x}": "val" for content in range(100, 110)}
    swapped = {content: {"val": "test", "test": "val"}.get(part, part) for content, part in dealt.items()}
    kept = {f"{content:064x}": part for content, part in swapped.items()}
    record = Path("data/split.csv")
    record.unlink()
    former = record.with_suffix(".json")
    write_json(former, {"val 0.2, test 0.2, seed 0": kept, "val 0.1, test 0.1, seed 7": other})
    prepare(tiny_project(CHANGES))
    assert parts_by_content(list(range(N))) == swapped
    assert not former.exists()
    assert "data/split.json has become data/split.csv" in capsys.readouterr().out
    lines = read_csv(record)
    assert {line["sha256"]: line["val 0.2, test 0.2, seed 0"] for line in lines[:N]} == kept
    assert {line["sha256"]: line["val 0.1, test 0.1, seed 7"] for line in lines[N:]} == other


@pytest.mark.usefixtures("ingested")
@pytest.mark.parametrize(
    "content",
    [
        f"sha256,seed 0\n{0:064x},nowhere\n",
        f"sha256,seed 0\n{0:062x},test\n",
        f"sha256,seed 0\n{'zz' * 32},test\n",
        f"sha256,seed 0\n{0:064x}\n",
        f"sha256,seed 0,seed 0\n{0:064x},test,test\n",
        f"image,seed 0\n{0:064x},test\n",
        "",
        "\0",
        "\udcff",
    ],
)
def test_a_spoilt_record_of_the_split_is_named(tiny_project: Any, content: str) -> None:
    write_labels(good_rows())
    Path("data/split.csv").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(LacunaError, match=r"^data/split\.csv: .* dvc checkout data/split\.csv "):
        prepare(tiny_project(CHANGES))


@pytest.mark.usefixtures("ingested")
@pytest.mark.parametrize(
    "content", [f'{{"seed 0": {{"{0:064x}": "nowhere"}}}}', '{"seed 0": {"00": "test"}}', "[]", '{"seed 0": 7}', "{"]
)
def test_so_is_one_of_former_versions(tiny_project: Any, content: str) -> None:
    write_labels(good_rows())
    Path("data/split.json").write_text(content)
    with pytest.raises(LacunaError, match=r"^data/split\.json: "):
        prepare(tiny_project(CHANGES))
