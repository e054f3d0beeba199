"""How labels are to be read: a target's own column and words, lists in cells, encodings."""

import pytest

from lacuna.config.load import parse_params
from tests.tiny_project import mistake, params_content

OWN = {"edema": {"kind": "binary", "column": "Edema", "unknown": ["-1"]}, "red": "binary"}


def test_a_target_may_have_a_column_and_words_of_its_own():
    changed = params_content()
    changed["data"].update(targets=OWN, unknown=["", "?"])
    data = parse_params(changed).data
    edema, red = data.column("edema"), data.column("red")
    assert (edema.column, edema.unknown, edema.positive) == ("Edema", ("-1",), data.positive)
    assert (red.column, red.unknown) == ("red", ("", "?"))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"kind": "binary", "unknown": ["0"]}, "targets.a: '0' must not stand in both unknown and negative"),
        ({"kind": "binary", "column": ["x", "y"]}, "targets.a: several columns make a categorical target"),
        ({"kind": "categorical", "column": ["x"]}, "data.targets.a.column"),
        ({"column": "x"}, "data.targets.a.kind: missing"),
        ({"kind": "binary", "kolumn": "x"}, "data.targets.a.kolumn: unknown key, did you mean column?"),
    ],
)
def test_a_target_that_cannot_be_read_so_is_refused(target, message):
    changed = params_content()
    changed["data"].update(targets={"a": target})
    assert message in mistake(changed)


@pytest.mark.parametrize("source", ["labels_txt", "folders"])
def test_only_cells_of_tables_hold_lists(source):
    changed = params_content()
    changed["data"].update(source=source, path="raw", labels="raw", targets={"a": "tags"})
    assert f"targets of kind tags are lists in the cells of a table; source is {source}" in mistake(changed)


def test_an_encoding_that_is_none_is_refused():
    changed = params_content()
    changed["data"]["encoding"] = "utf-9"
    assert "unknown encoding 'utf-9'; for example utf-8, cp1252 or shift_jis" in mistake(changed)


def test_a_target_is_written_as_people_write_it():
    changed = params_content()
    changed["data"].update(targets=OWN)
    assert parse_params(changed).model_dump(mode="json")["data"]["targets"] == OWN
