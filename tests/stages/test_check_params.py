from pathlib import Path

import pytest
from ruamel.yaml import YAML

from lacuna.config.load import parse_params
from lacuna.errors import LacunaError
from stages.check_params import check_params

NAMED = {"data.source": "labels_txt", "calibrate.rules": {}}


def test_the_order_of_the_targets_is_written_where_dvc_sees_it(tiny_project):
    check_params(tiny_project({**NAMED, "data.targets": {"striped": "binary", "long": "binary"}}))
    before = {file.name: file.read_text() for file in Path("data").iterdir()}
    check_params(tiny_project({**NAMED, "data.targets": {"long": "binary", "striped": "binary"}}))
    after = {file.name: file.read_text() for file in Path("data").iterdir()}
    assert before["target_order.txt"] == "targets in order:\nstriped\nlong\n"
    assert after["target_order.txt"] == "targets in order:\nlong\nstriped\n"
    assert before["params_checked.txt"] == after["params_checked.txt"]


def test_prepare_depends_on_the_order_of_the_targets(repository):
    stages = YAML(typ="safe").load(repository / "dvc.yaml")["stages"]
    assert "data/target_order.txt" in stages["prepare"]["deps"]
    assert not any("data/target_order.txt" in stages[name]["deps"] for name in ("sample", "ingest", "featurize"))


def test_a_weights_file_that_is_not_there_stops_before_any_image_is_read(tiny_project):
    with pytest.raises(LacunaError, match=r"backbone.weights: expected imagenet, none or the path of a file"):
        check_params(tiny_project({"backbone.weights": "models/own.weights.h5"}))


def test_a_preset_may_have_a_name_or_be_a_folder_that_is_there(tiny_project):
    own = {"backbone.name": "keras_hub", "data.path": "data/sample"}
    for preset in ("resnet_18_imagenet", "hf://org/name", "kaggle://keras/resnetv1/keras/resnet_18_imagenet/2"):
        check_params(tiny_project({**own, "backbone.weights": preset}))
    with pytest.raises(LacunaError, match=r"backbone.weights: the folder ./own with a preset is not there"):
        check_params(tiny_project({**own, "backbone.weights": "./own"}))
    Path("own").mkdir()
    check_params(tiny_project({**own, "backbone.weights": "./own"}))


def test_data_that_is_not_there_stops_the_run_with_key_and_advice(tiny_project, run_stage_here, one_line):
    tiny_project({"data.path": "data/raw/images"})
    assert "params.yaml: data.path: data/raw/images is not there; put your data there" in one_line(
        run_stage_here("check_params")
    )
    assert not Path("data/params_checked.txt").exists()
    Path("data/raw/images").mkdir(parents=True)
    tiny_project({"data.path": "data/raw/images", "data.labels": "data/raw/labels.csv"})
    assert "data.labels: data/raw/labels.csv is not there" in one_line(run_stage_here("check_params"))


@pytest.mark.parametrize("tracked", ["data/raw.dvc", "data/raw/images.dvc"])
def test_data_that_dvc_has_yet_to_fetch_is_no_mistake(tracked, tiny_project):
    Path(tracked).parent.mkdir(parents=True)
    Path(tracked).touch()
    check_params(tiny_project({"data.path": "data/raw/images"}))


def test_corrections_that_are_not_there_stop_the_run(tiny_project):
    with pytest.raises(LacunaError, match=r"data.corrections: corrections/mine.csv is not there"):
        check_params(tiny_project({"data.path": "data/sample", "data.corrections": "corrections/mine.csv"}))
    Path("corrections").mkdir()
    Path("corrections/mine.csv").touch()
    check_params(tiny_project({"data.path": "data/sample", "data.corrections": "corrections/mine.csv"}))


def test_dvc_sees_every_change_of_a_correction(repository):
    """The only places that params.yaml accepts lie in a folder that prepare depends on, which is always there."""
    stages = YAML(typ="safe").load(repository / "dvc.yaml")["stages"]
    assert "corrections" in stages["prepare"]["deps"]
    assert (repository / "corrections/README.md").is_file()


def test_a_decision_rule_for_a_categorical_target_is_named(repository):
    content = YAML(typ="safe").load(repository / "params.yaml")
    content["calibrate"]["rules"] = {"category": "min_recall"}
    with pytest.raises(LacunaError, match=r"calibrate.rules.category: expected a binary target"):
        parse_params(content)


@pytest.mark.parametrize(
    ("targets", "reason"),
    [
        (["macro", "flower"], "target name 'macro': taken are"),
        (["x" * 250], "it takes 250 bytes in UTF-8, at most 100 fit"),
        (["a\rb"], "it holds a control character"),
        (["Cat", "cat"], "'Cat' and 'cat' differ by case"),
    ],
)
def test_a_target_that_could_not_be_trained_to_the_end_is_refused_before_an_image_is_read(
    targets, reason, tiny_project, run_stage_here, one_line
):
    with pytest.raises(LacunaError):
        tiny_project({"data.targets": dict.fromkeys(targets, "binary")})
    assert reason in one_line(run_stage_here("check_params"))


@pytest.mark.parametrize(
    ("header", "named", "message"),
    [
        ("file,red\n", {}, "labels.csv:1: no column 'image' (data.image_column), expected one of 'file', 'red'"),
        ("image;rot\n", {}, "labels.csv:1: no column 'red' (data.targets), expected one of 'image', 'rot'"),
        ("image,red\n", {"data.group_column": "who"}, "labels.csv:1: no column 'who' (data.group_column)"),
    ],
)
def test_a_column_that_is_not_there_stops_before_any_image_is_read(header, named, message, tiny_project):
    Path("labels.csv").write_text(header + "a.jpg,1\n")
    own = {"data.labels": "labels.csv", "data.targets": {"red": "binary"}, "data.group_column": "", **named}
    with pytest.raises(LacunaError) as caught:
        check_params(tiny_project(own))
    assert message in str(caught.value)
    Path("labels.csv").write_text("image,red,who\na.jpg,1,x\n")
    check_params(tiny_project(own))
