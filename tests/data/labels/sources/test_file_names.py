"""Labels in the names of images by `data.name_pattern`, in which parts of names are counted by hand."""

from pathlib import Path
from typing import Any

import pytest

from lacuna.data.labels.sources.file_names import read_file_names
from lacuna.errors import LacunaError
from tests.label_sources import cells, read_with, refusal, words_of

IMAGES = ["a/31_0_2_x.png", "b/4_1_2_x.png", "README.png", "b/31_0_1_x.png"]
PATTERN = r"(?P<age>\d+)_(?P<gender>\d)_"


def test_groups_of_the_pattern_are_columns() -> None:
    found = read_with(
        read_file_names, Path("raw"), IMAGES, name_pattern=PATTERN, targets={"gender": "binary", "age": "categorical"}
    )
    assert words_of(found.image) == ["a/31_0_2_x.png", "b/4_1_2_x.png", "b/31_0_1_x.png"]
    assert cells(found) == {"gender": ["0", "1", "0"], "age": ["31", "4", "31"]}
    assert found.notes == ("1 image is called otherwise than data.name_pattern says: README.png",)


def test_a_pattern_with_a_slash_is_of_the_path_and_may_name_the_part() -> None:
    pattern = "(?P<split>[ab])/[0-9]+_(?P<gender>[01])"
    found = read_with(read_file_names, Path("raw"), IMAGES, name_pattern=pattern)
    assert found.targets == {"gender": "categorical"}
    assert words_of(found.split) == ["a", "b", "b"]


def test_a_pattern_that_would_take_for_ever_in_python_takes_no_time() -> None:
    found = read_with(read_file_names, Path("raw"), ["a" * 5000, "ab.png"], name_pattern="(?P<x>(?:a+)+)b")
    assert cells(found) == {"x": ["a"]}


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(?P<x>zebra)", "raw: data.name_pattern fits none of the 4 images' names, such as 'a/31_0_2_x.png'"),
        ("(?P<x>a)(?=b)", "params.yaml: data.name_pattern: Invalid regular expression: invalid perl operator: (?="),
    ],
)
def test_what_fits_nothing_or_is_not_read_is_refused(pattern: str, message: str) -> None:
    assert message in refusal(lambda data, _: read_file_names(data, IMAGES), Path("raw"), name_pattern=pattern)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name_pattern": "(?P<x>"}, "data.name_pattern: no regular expression: missing ), unterminated subpattern"),
        ({"name_pattern": "(?P<x>a)(b)"}, "data.name_pattern: a group without a name: expected (?P<name>...), or (?:"),
        ({"name_pattern": "cat"}, "data.name_pattern: no group with a name"),
        ({"name_pattern": "(?P<x>a)"}, "name_pattern must name group alone with source table, received ['x']"),
        ({"name_pattern": "(?P<group>a)", "group_folders": 1}, "group_folders must be 0 where name_pattern has a"),
        (
            {"source": "file_names", "labels": "raw", "name_pattern": "(?P<x>a)"},
            "labels must be path again with source file_names",
        ),
        ({"source": "file_names"}, "name_pattern must have a (?P<name>...) of each target"),
        ({"source": "file_names", "name_pattern": "(?P<x>a)", "targets": {"y": "binary"}}, "it has ['x']"),
    ],
)
def test_a_pattern_that_makes_no_sense_stops_at_the_parameters(
    tiny_project: Any, changes: dict[str, Any], message: str
) -> None:
    own = {"path": "photos", "labels": "photos", "targets": {"x": "categorical"}, "group_column": "", **changes}
    with pytest.raises(LacunaError) as caught:
        tiny_project({f"data.{key}": value for key, value in own.items()} | {"calibrate.rules": {}})
    assert message in str(caught.value)
