import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lacuna.config.load import load_params, parse_params
from lacuna.config.params import Params
from lacuna.errors import LacunaError
from tests.tiny_project import mistake, params_content

REPOSITORY = Path(__file__).parents[2]
PARAMS_FILE = REPOSITORY / "params.yaml"

KEYS = [(block, key) for block, values in params_content().items() for key in values]
NUMBERS = [
    (block, key)
    for block, key in KEYS
    if type(params_content()[block][key]) in (int, float) and (block, key) != ("finetune", "unfreeze")
]
searched = settings(derandomize=True, max_examples=60)


def test_the_committed_params_are_valid_and_keep_their_values():
    params = load_params(PARAMS_FILE).model_dump(exclude_unset=True)
    for block, key in KEYS:
        value = params[block][key]
        assert json.loads(json.dumps(value)) == params_content()[block][key]


def test_the_file_has_every_key_and_the_models_hold_no_defaults():
    assert {(block, key) for block, key in KEYS} == {
        (block, key)
        for block, field in Params.model_fields.items()
        for key in field.annotation.model_fields  # type: ignore[union-attr]
    }


@searched
@given(st.sampled_from(KEYS), st.data())
def test_a_mistyped_key_is_named_and_the_right_one_suggested(place, data):
    block, key = place
    position = data.draw(st.integers(0, len(key) - 1))
    typo = data.draw(st.sampled_from([key[:position] + key[position + 1 :], key[:position] + "x" + key[position:]]))
    changed = params_content()
    if typo in changed[block]:
        return
    changed[block][typo] = changed[block].pop(key)
    message = mistake(changed)
    assert f"{block}.{typo}: unknown key" in message
    assert f"{block}.{key}: missing, expected a value" in message
    if len(key) > 4:
        assert re.search(rf"{block}\.{typo}: unknown key, did you mean \w+\?", message)


def test_a_mistyped_block_is_named_and_the_right_one_suggested():
    changed = params_content()
    changed["agument"] = changed.pop("augment")
    message = mistake(changed)
    assert "agument: unknown key, did you mean augment?" in message
    assert "augment: missing" in message


def test_a_key_like_no_other_is_answered_with_all_that_exist():
    changed = params_content()
    changed["features"]["zzz"] = 1
    assert "features.zzz: unknown key, expected one of sizes, stages, max_gb" in mistake(changed)


@searched
@given(st.sampled_from(KEYS), st.sampled_from([None, [None], {"a": [1]}, object, b"x"]))
def test_a_wrong_type_anywhere_is_named_with_what_was_received(place, value):
    block, key = place
    changed = params_content()
    changed[block][key] = value
    message = mistake(changed)
    assert re.search(rf"{block}\.{key}(\.\w+)*: (expected .+, received |missing, expected)", message)


@searched
@given(st.sampled_from(NUMBERS), st.sampled_from(["abc", "1", "1,5", "", True, [1], float("nan"), float("inf"), -1]))
def test_what_is_no_fitting_number_is_refused_where_a_number_belongs(place, value):
    block, key = place
    changed = params_content()
    changed[block][key] = value
    assert re.search(rf"{block}\.{key}: expected .+, received {re.escape(repr(value))}", mistake(changed))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("sample.images", 10, "expected greater than or equal to 50, received 10"),
        ("data.source", "csv", "expected 'labels_txt', 'table', 'folders', 'idx', 'label_studio', "),
        ("data.path", "", "expected at least 1 character"),
        ("data.targets", {}, "targets must name at least one column of the table"),
        (
            "data.targets",
            {"a": "ordinal"},
            "data.targets.a.kind: expected 'binary', 'categorical' or 'tags', received 'ordinal'",
        ),
        ("data.targets", {"a.b": "binary"}, "target name 'a.b': it holds '.', which names of files and metrics cannot"),
        ("data.targets", {"split": "binary"}, "taken are error, group, image, macro, row, split, unfamiliar"),
        ("data.targets", {"ok": "binary", "macro": "binary"}, "target name 'macro': taken are"),
        ("data.targets", {"Hut": "binary", "hut": "binary"}, "'Hut' and 'hut' differ by case or Unicode form alone"),
        ("data.unknown", ["NA", 1], "expected a valid string, received 1"),
        ("data.unknown", "NA", "expected a list, received 'NA'"),
        ("data.unknown", ["0", "NA"], "'0' must not stand in both unknown and negative"),
        ("data.positive", ["0"], "'0' must not stand in both positive and negative"),
        ("data.image_size", 7, "expected greater than or equal to 8, received 7"),
        ("data.image_size", 160.0, "expected a valid integer, received 160.0"),
        ("data.max_rejected", 1.01, "expected less than or equal to 1, received 1.01"),
        ("data.corrections", "data/audit/label_issues.csv", 'expected "" or a file in the folder corrections/'),
        ("data.corrections", "corrections/../labels.csv", 'expected "" or a file in the folder corrections/'),
        ("audit.permutations", 10, "expected greater than or equal to 99, received 10"),
        ("split.val", 0, "expected greater than 0, received 0"),
        ("split.val", 0.85, "val + test must stay below 1, received 1"),
        ("split.seed", 2**32, "expected less than 4294967296"),
        ("features.sizes", [], "expected at least 1 item"),
        ("features.sizes", [96, 96], "sizes must differ from each other, received [96, 96]"),
        ("features.sizes", [-1], "expected greater than or equal to 0, received -1"),
        ("features.sizes", 96, "expected a list, received 96"),
        ("features.stages", "some", "received 'some'"),
        ("augment.horizontal_flip", "yes", "expected a valid boolean, received 'yes'"),
        ("augment.rotation", 90, "expected less than or equal to 0.5, received 90"),
        ("train.loss", "focall", "expected 'focal', 'cross_entropy' or 'asymmetric', received 'focall'"),
        ("warmup.epochs", 0, "expected greater than or equal to 1, received 0"),
        ("finetune.learning_rate", "abc", "expected a valid number, received 'abc'"),
        ("finetune.learning_rate", 0, "expected greater than 0, received 0"),
        ("finetune.unfreeze", "27", "expected a number of layers, the name of a block or all, received '27'"),
        ("finetune.unfreeze", -1, "expected a number of layers, the name of a block or all, received -1"),
        ("train.targets", ["hair"], "train.targets names 'hair', which is none of data.targets"),
        ("train.target_weights", {"hair": 2.0}, "train.target_weights names 'hair', which is none of data.targets"),
        ("calibrate.rules", {"face": "best"}, "received 'best'"),
        ("calibrate.rules", {"hair": "cost"}, "calibrate.rules names 'hair', which is none of data.targets"),
        ("evaluate.confidence", 95, "expected less than 1, received 95"),
        ("explain.embedding", "pca", "expected 'tsne' or 'umap', received 'pca'"),
        ("track.model_name", "a/b", "should match pattern"),
        ("track.model_name", "a?b", "should match pattern"),  # MLflow reads models:/a?b/1 as a model a
        ("explain.points", 6000, "expected less than or equal to 5000, received 6000"),
    ],
)
def test_an_impossible_value_is_named_with_what_was_expected(key, value, message):
    block, name = key.split(".")
    changed = params_content()
    changed[block][name] = value
    said = mistake(changed)
    assert block in said
    assert message in said


def test_labels_txt_may_leave_its_targets_unnamed():
    changed = params_content()
    changed["data"].update(source="labels_txt", targets={})
    assert parse_params(changed).data.kinds == {}


@pytest.mark.parametrize("source", ["folders", "idx"])
def test_sources_whose_labels_lie_with_the_images_want_categorical_targets(source):
    changed = params_content()
    right = {"source": source, "path": "raw", "labels": "raw", "targets": {"kind": "categorical"}}
    for targets in ({}, {"kind": "categorical"}):
        changed["data"].update(right, targets=targets)
        assert parse_params(changed).data.kinds == targets
    changed["data"].update(right, targets={"kind": "binary"})
    assert f"targets must be categorical or {{}} with source {source}" in mistake(changed)
    changed["data"].update(right, targets={"kind": "categorical", "more": "categorical"})
    if source == "idx":
        assert "targets must be one categorical target or {} with source idx" in mistake(changed)
    else:
        assert list(parse_params(changed).data.kinds) == ["kind", "more"]
    changed["data"].update(right, labels="raw/labels.csv")
    assert f"labels must be path again with source {source}, received 'raw/labels.csv'" in mistake(changed)


def test_several_mistakes_are_said_at_once():
    changed = params_content()
    changed["train"]["gamma"] = -1
    changed["split"]["test"] = "a lot"
    message = mistake(changed)
    assert "train.gamma" in message
    assert "split.test" in message


@searched
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda values: (
            st.lists(values, max_size=3)
            | st.dictionaries(st.sampled_from([*params_content(), "x", 3, None]), values, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_no_content_whatever_ends_in_anything_but_one_line(anything):
    mistake(anything)


def write_with(tmp_path: Path, line: str, key: str) -> Path:
    """params.yaml with the line of a key replaced, as a person or `dvc exp run -S` would leave it."""
    block, name = key.split(".")
    head, found, rest = PARAMS_FILE.read_text(encoding="utf-8").partition(f"\n{block}:\n")
    assert found
    rest = re.sub(rf"^  {name}: .*$", f"  {line}", rest, count=1, flags=re.MULTILINE)
    path = tmp_path / "params.yaml"
    path.write_text(head + found + rest, encoding="utf-8")
    return path


@pytest.mark.parametrize(("text", "value"), [("1e-5", 1e-5), ("1E-5", 1e-5), ("0.00001", 1e-5), ("1", 1.0)])
def test_numbers_are_read_as_dvc_writes_them(text, value, tmp_path):
    path = write_with(tmp_path, f"learning_rate: {text}", "finetune.learning_rate")
    assert load_params(path).finetune.learning_rate == value


@pytest.mark.parametrize("text", ["'1e-5'", "1e-5 ", "1e-", "abc", "1e400", "yes", "0x", "null", ""])
def test_what_is_not_a_number_does_not_become_one(text, tmp_path):
    path = write_with(tmp_path, f"learning_rate: {text}", "finetune.learning_rate")
    if text.strip() == "1e-5":
        assert load_params(path).finetune.learning_rate == 1e-5
        return
    with pytest.raises(LacunaError, match=r"params\.yaml: finetune\.learning_rate: expected .*, received "):
        load_params(path)


def test_words_that_other_yaml_readers_turn_into_something_else_stay_words(tmp_path):
    path = write_with(tmp_path, "unknown: [on, off, NA, ~a]", "data.unknown")
    assert load_params(path).data.unknown == ("on", "off", "NA", "~a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected blocks of parameters"),
        ("- 1\n", "expected blocks of parameters"),
        ("a: 1\na: 2\n", 'not valid YAML: while constructing a mapping .* found duplicate key "a"'),
        ("a: [1\n", "not valid YAML"),
        ("a: !!python/object:os.system 1\n", "not valid YAML"),
        ("a: \x00\n", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_params_file_ends_in_one_line(text, message, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(LacunaError, match=message) as caught:
        load_params(path)
    assert "\n" not in str(caught.value)


def test_a_missing_or_undecodable_file_is_named(tmp_path):
    path = tmp_path / "params.yaml"
    with pytest.raises(LacunaError, match="no such file; run from the project's root folder"):
        load_params(path)
    path.write_bytes(b"a: \xff\xfe")
    with pytest.raises(LacunaError, match="not valid YAML"):
        load_params(path)
