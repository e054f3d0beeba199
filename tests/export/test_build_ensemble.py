import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from lacuna.config.load import load_params
from lacuna.errors import LacunaError
from lacuna.export.build_ensemble import build_ensemble
from lacuna.inference.bundle import read_bundle, read_predictions
from lacuna.inference.ensemble import mean_logits
from lacuna.inference.predictor import Predictor
from lacuna.io.atomic import sha256
from tests.ood_bundle import training_like_pictures, write_ood_bundle
from tests.tiny_bundle import SIZE, TARGETS, write_tiny_bundle, write_tiny_predictions

PARAMS = load_params(Path(__file__).parents[2] / "params.yaml")
EVALUATE = PARAMS.evaluate.model_copy(update={"bootstrap": 50})


def edit(folder: Path, change) -> None:
    path = folder / "bundle.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def write_member(folder: Path, **seeds: int) -> Path:
    """A tiny bundle whose predictions of validation and test hang on the seeds."""
    write_tiny_bundle(folder)
    write_tiny_predictions(folder, **seeds)
    hashes = {name: sha256(folder / name) for name in ("validation.npz", "test.npz")}
    edit(folder, lambda content: content.update(predictions=hashes))
    return folder


@pytest.fixture
def members(tmp_path):
    return [write_member(tmp_path / name, seed=seed) for seed, name in enumerate("ab")]


def build(folders, out):
    return build_ensemble(folders, out, PARAMS.calibrate, EVALUATE)


def test_it_predicts_the_mean_of_its_members(members, tmp_path):
    out = tmp_path / "ensemble"
    build(members, out)
    (prediction,) = Predictor.load(out).predict([np.full((SIZE, SIZE, 3), (255, 0, 51), np.uint8)])
    bundle = read_bundle(out, "openvino")
    assert [member.folder for member in bundle.members] == ["1", "2"]
    alone = np.array([[0, 0.2, 1]], np.float32)  # both members have the tiny network
    expected = bundle.calibration.apply(TARGETS, mean_logits(TARGETS, [alone, alone]))
    for target, chances in zip(TARGETS, expected, strict=True):
        said = list(prediction.targets[target.name].probabilities.values())
        assert said == pytest.approx(chances[0].tolist(), abs=1e-5)


def test_members_of_different_image_sizes_each_get_their_own(members, tmp_path):
    import onnx
    import openvino

    for name in ("model.onnx", "model.xml", "model.bin"):
        (members[1] / name).unlink()
    model = onnx.load(members[0] / "model.onnx")
    for axis in (1, 2):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = 2 * SIZE
    onnx.save(model, members[1] / "model.onnx")
    openvino.save_model(openvino.Core().read_model(members[1] / "model.onnx"), members[1] / "model.xml", False)
    files = {
        name: sha256(members[1] / name) for name in ("model.onnx", "model.xml", "model.bin", "head.npz", "layout.json")
    }
    edit(members[1], lambda content: content["networks"][0].update(files=files))
    edit(members[1], lambda content: content["networks"][0]["input"].update(image_size=2 * SIZE))

    build(members, tmp_path / "ensemble")
    predictor = Predictor.load(tmp_path / "ensemble")
    assert [member.input.image_size for member in predictor.bundle.members] == [SIZE, 2 * SIZE]
    assert all(one.error is None for one in predictor.predict([np.zeros((9, 9, 3), np.uint8)] * 3))


def test_it_is_scored_by_its_own_predictions(members, tmp_path):
    built = build(members, tmp_path / "ensemble")
    said = read_predictions(tmp_path / "ensemble")
    parts = [read_predictions(member) for member in members]
    for part in ("validation", "test"):
        expected = mean_logits(TARGETS, [one[part].logits for one in parts])
        assert said[part].logits == pytest.approx(expected)
        assert set(built.metrics[part]["targets"]) == set(TARGETS.names)
    assert json.loads((tmp_path / "ensemble/bundle.json").read_text())["metrics"] == built.metrics
    # independent noise of the same strength averages out
    assert built.metrics["test"]["targets"]["red"]["roc_auc"] > 0.9
    assert list(built.gains) == [str(member) for member in members]


def test_building_twice_gives_the_same_bytes(members, tmp_path):
    for name in ("one", "two"):
        build(members, tmp_path / name)
    for path in (path for path in (tmp_path / "one").rglob("*") if path.is_file()):
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


def test_members_that_were_scored_on_other_images_are_refused(members, tmp_path):
    other = write_member(tmp_path / "c", labels_seed=1)
    with pytest.raises(LacunaError, match="were scored on different validation images or labels"):
        build([members[0], other], tmp_path / "ensemble")
    assert not (tmp_path / "ensemble").exists()


def test_members_that_learned_from_other_labels_are_refused(members, tmp_path):
    edit(members[1], lambda content: content["training_counts"].update(red=[39, 11]))
    with pytest.raises(LacunaError, match="differ in training counts"):
        build(members, tmp_path / "ensemble")


def test_members_of_other_targets_are_refused(members, tmp_path):
    def rename(content):
        content["targets"][0]["classes"] = ["green", "grey"]

    edit(members[1], rename)
    with pytest.raises(LacunaError, match="differ in targets"):
        build(members, tmp_path / "ensemble")


def test_one_bundle_a_bundle_twice_and_an_ensemble_are_no_members(members, tmp_path):
    with pytest.raises(LacunaError, match="needs at least two bundles, received 1"):
        build(members[:1], tmp_path / "ensemble")
    with pytest.raises(LacunaError, match="the same bundle is named twice"):
        build([members[0], members[0] / ".." / "a"], tmp_path / "ensemble")
    build(members, tmp_path / "ensemble")
    with pytest.raises(LacunaError, match="an ensemble itself"):
        build([members[0], tmp_path / "ensemble"], tmp_path / "more")


def test_a_damaged_member_is_named(members, tmp_path):
    shutil.copyfile(members[1] / "test.npz", members[1] / "validation.npz")
    with pytest.raises(LacunaError, match=r"b/validation\.npz: not the file"):
        build(members, tmp_path / "ensemble")


def test_a_folder_of_something_else_or_a_member_is_not_replaced(members, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "cat.png").write_bytes(b"precious")
    with pytest.raises(LacunaError, match="holds other files than a bundle's"):
        build(members, photos)
    assert (photos / "cat.png").read_bytes() == b"precious"
    with pytest.raises(LacunaError, match="one of the members"):
        build(members, members[0])


def test_an_ensemble_has_the_detector_of_its_first_member(tmp_path):
    first = write_ood_bundle(tmp_path / "a", false_alarms=0.02)
    second = write_ood_bundle(tmp_path / "b", false_alarms=0.1)
    build([first, second], tmp_path / "ensemble")
    predictor = Predictor.load(tmp_path / "ensemble")
    assert predictor.detector is not None
    assert predictor.detector.false_alarms.asked == 0.02
    (prediction,) = predictor.predict([training_like_pictures(1, 99)[0]])
    assert prediction.unfamiliar is False
