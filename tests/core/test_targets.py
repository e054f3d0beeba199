"""What a target and its classes may be called: their names become those of files, columns and metrics."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lacuna.core.targets import MAX_NAME_BYTES, Target, Targets, check_name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        (" ", "empty"),
        ("red ", "begins or ends with a blank"),
        (".hidden", "holds '.'"),
        ("a.b", "holds '.'"),
        ("../red", "holds '.'"),
        ("w/o", "holds '/'"),
        ("a\\b", "holds '\\\\\\\\'"),
        ("a\rb", "control character"),
        ("a\tb", "control character"),
        ("b\udce4r", "control character"),
        ("macro", "taken are error, group, image, macro, row, split, unfamiliar"),
        ("image", "taken are"),
        ("x" * 101, "takes 101 bytes in UTF-8, at most 100"),
        ("ä" * 51, "takes 102 bytes in UTF-8, at most 100"),
    ],
)
def test_a_name_that_cannot_be_that_of_a_file_a_column_and_a_metric_is_refused(name: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        Target(name, "binary", ("0", "1"))
    assert "give it another name" in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("name", ["red", "long sleeves", "größe", "x" * 100, "色" * 33, "is_red?", "5", "Macro"])
def test_ordinary_names_are_taken(name: str) -> None:
    check_name(name)


@given(st.text())
def test_every_name_that_is_taken_is_one_part_of_a_path(name: str) -> None:
    try:
        check_name(name)
    except ValueError:
        return
    assert len(name.splitlines()) == 1
    assert not {"/", "\\", "."} & set(name)
    assert len(f"mean_images-{name}.partial.png".encode()) < MAX_NAME_BYTES + 100


@pytest.mark.parametrize(("one", "other"), [("Red", "red"), ("Stra\u00dfe", "strasse"), ("\u00e9", "e\u0301")])
def test_names_that_a_file_system_may_take_for_the_same_are_refused(one: str, other: str) -> None:
    with pytest.raises(ValueError, match="differ by case or Unicode form alone"):
        Targets(tuple(Target(name, "binary", ("0", "1")) for name in (one, other)))


@pytest.mark.parametrize("word", ["w/", "http://x", "x" * 500, "a.b", "macro", "T-shirt, blue", "..", "日本"])
def test_a_class_may_be_called_anything_in_one_line(word: str) -> None:
    assert Target("kind", "categorical", (word, "other")).classes[0] == word


@pytest.mark.parametrize("word", ["", "a\nb", "a\0"])
def test_a_class_without_name_or_with_control_characters_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="is empty or holds a control character"):
        Target("kind", "categorical", (word, "other"))
