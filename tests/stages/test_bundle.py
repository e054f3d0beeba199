import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from lacuna.config.params import Params
from lacuna.errors import LacunaError
from lacuna.inference.bundle import read_bundle, read_seen_images
from lacuna.inference.predictor import Predictor
from lacuna.io.atomic import sha256
from lacuna.io.sharded_array import checksum
from stages.bundle import WITHOUT_EFFECT, bundle
from tests.found_metrics import found_metrics
from tests.ood_bundle import write_detector
from tests.shards import save_rows
from tests.tiny_bundle import BUNDLE, CALIBRATION, SIZE, TARGETS, write_tiny_network, write_tiny_predictions

FOUND = found_metrics(TARGETS)


@pytest.fixture
def finished(tiny_project):
    """A project at the point where `bundle` runs."""
    for folder in ("data/images", "data/prepared", "data/predictions", "models/export", "metrics"):
        Path(folder).mkdir(parents=True)
    save_rows("data/images/pixels", np.zeros((3, 2, 2, 3), np.uint8))
    names = [f"{part}_{row}.png" for part in ("train", "validation", "test") for row in range(60)]
    splits = ["train"] * 60 + ["val"] * 60 + ["test"] * 60
    rows = "".join(
        f"{name},{row},{split},{row},1\n" for row, (name, split) in enumerate(zip(names, splits, strict=True))
    )
    Path("data/prepared/manifest.csv").write_text(f"image,row,split,group,red\n{rows}")
    digests = "".join(f"{name},{hashlib.sha256(name.encode()).hexdigest()}\n" for name in names)
    Path("data/images/files.csv").write_text(f"image,sha256\n{digests}")
    TARGETS.save(Path("data/predictions/targets.json"))
    counts = {name: {"counts": counts} for name, counts in BUNDLE.training_counts.items()}
    Path("data/prepared/class_weights.json").write_text(json.dumps(counts))
    predictions = write_tiny_predictions(Path("data/predictions"))
    predictions["validation"].rename("data/predictions/val.npz")
    CALIBRATION.save(Path("models/calibration.json"))
    write_tiny_network(Path("models/export"))
    write_detector(Path("models/out_of_distribution.npz"))
    for name, content in FOUND.items():
        Path(f"metrics/{name}.json").write_text(json.dumps(content))
    return tiny_project


def make(finished, **changes):
    bundle(finished({"data.image_size": SIZE, **changes}))
    return json.loads(Path("models/bundle/bundle.json").read_text())


def test_the_bundle_predicts_wherever_it_is_moved(finished, tmp_path, monkeypatch):
    make(finished)
    elsewhere = shutil.move("models/bundle", tmp_path / "elsewhere")
    for folder in ("data", "models", "metrics", "params.yaml"):
        path = tmp_path / folder
        path.unlink() if path.is_file() else shutil.rmtree(path)
    (prediction,) = Predictor.load(Path(elsewhere)).predict([b"P6 1 1 255\n\xff\x00\x00"])
    assert prediction.targets["red"].detected
    assert prediction.unfamiliar
    card = Path(elsewhere, "README.md").read_text(encoding="utf-8")
    assert "| red | 40 |" in card
    assert 'InferenceSession("model.onnx")' in card
    assert "tflite" not in card


def test_it_says_what_it_was_made_from(finished):
    content = make(finished)
    (network,) = content["networks"]
    assert network["backbone"] == "efficientnet_lite0"
    assert network["input"] == {"image_size": SIZE, "resize": "pad", "max_pixels": 50_000_000}
    assert content["metrics"] == {"validation": FOUND["validation"], "test": FOUND["test"]}
    assert content["origin"]["images_sha256"] == checksum(Path("data/images/pixels"))
    assert content["origin"]["manifest_sha256"] == sha256(Path("data/prepared/manifest.csv"))
    assert {"lacuna", "keras", "openvino", "onnxruntime"} <= content["origin"]["versions"].keys()
    assert read_bundle(Path("models/bundle"), "onnx").targets == TARGETS


def test_it_tells_by_content_which_images_it_learned_from_and_is_tested_on(finished):
    make(finished)

    def digests(*parts):
        names = [f"{part}_{row}.png" for part in parts for row in range(60)]
        return [int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) for name in names]

    seen = read_seen_images(Path("models/bundle"))
    assert seen.learned.tolist() == sorted(digests("train", "validation"))
    assert seen.test.tolist() == digests("test")


def test_running_twice_writes_the_same_bytes(finished):
    make(finished)
    first = {path.name: path.read_bytes() for path in Path("models/bundle").iterdir()}
    make(finished)
    assert {path.name: path.read_bytes() for path in Path("models/bundle").iterdir()} == first


def test_the_params_hash_changes_with_what_shapes_the_model_and_with_nothing_else(finished):
    def params_hash(**changes):
        return make(finished, **changes)["origin"]["params_sha256"]

    first = params_hash()
    assert params_hash(**{"train.gamma": 1.0}) != first
    assert params_hash(**{"data.unknown": ["NA"]}) != first
    assert params_hash(**{"track.experiment": "other"}) == first


def test_dvc_runs_it_again_for_every_block_that_the_params_hash_covers(repository):
    stage = YAML(typ="safe").load(repository / "dvc.yaml")["stages"]["bundle"]
    assert set(stage["params"]) == set(Params.model_fields) - WITHOUT_EFFECT


def test_nothing_is_left_when_the_parts_do_not_belong_together(finished):
    calibration = Path("models/calibration.json")
    calibration.write_text(calibration.read_text().replace('"red"', '"blue"'))
    with pytest.raises(LacunaError, match="calibration does not fit the target red"):
        make(finished)
    assert not list(Path("models").glob("bundle*"))
