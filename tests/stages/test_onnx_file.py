"""A backbone from an ONNX file through the stages, from features to an exported network and its explanation."""

from pathlib import Path

import numpy as np
import pytest

from lacuna.core.feature_maps import heat_maps
from lacuna.core.head_weights import HeadWeights
from lacuna.core.predictions import Predictions
from lacuna.errors import LacunaError
from lacuna.features.cost import size_and_run
from lacuna.inference.predictor import Predictor
from lacuna.inference.runtimes import EXACT_RUNTIMES, HEAD_FILE, load_layout, load_network
from lacuna.io.atomic import sha256
from stages.export import export
from tests.onnx_files import WEIGHTS, hand_computed, tiny_model, write_lite0, write_tiny
from tests.shards import load_rows
from tests.tiny_bundle import write_tiny_bundle
from tests.tiny_project import write_params
from tests.training_project import SMALL, STAGES, TEST, run_in, write_data

ALWAYS = {
    "augment.views": 1,
    "features.stages": "all",
    "finetune.epochs": 0,
    "warmup.l2": {"kind": 1.0, "red": 1.0},
}
OWN = ALWAYS | {"backbone.name": "onnx", "backbone.weights": "own.onnx"}
EXPORT = Path("models/export")


def exported_logits(runtime, images, maps=False):
    return load_network(EXPORT, runtime)(images, maps=maps)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)
    return tmp_path


def test_what_is_exported_says_what_the_head_says_of_the_features(project):
    write_tiny(project / "own.onnx")
    *_, said = run_in(project, OWN | {"features.sizes": [20, 0]}, (*STAGES, export))
    assert set(said["export_difference"]) == set(EXACT_RUNTIMES)
    assert max(said["export_difference"].values()) < 1e-5
    assert sorted(path.name for path in EXPORT.iterdir()) == [
        "head.npz", "layout.json", "model.bin", "model.onnx", "model.xml",
    ]  # fmt: skip
    images = load_rows("data/images/pixels")[TEST]
    expected = Predictions.load(Path("data/predictions/test.npz")).logits
    layout, head = load_layout(EXPORT), HeadWeights.load(EXPORT / HEAD_FILE)
    for runtime in EXACT_RUNTIMES:
        found = exported_logits(runtime, images, maps=True)
        np.testing.assert_allclose(found.logits, expected, rtol=1e-3, atol=1e-4)
        assert {name: maps.shape[1:] for name, maps in found.maps.items()} == {
            "map_20_map_1": (20, 20, 3),
            "map_20_pooled_embedding": (1, 1, 4),
            "map_32_map_1": (32, 32, 3),
            "map_32_pooled_embedding": (1, 1, 4),
        }
        weights = np.tile(np.eye(found.logits.shape[1])[0], (len(images), 1))
        shares = heat_maps(found.maps, layout, weights @ head.slopes().T, head.mean)
        np.testing.assert_allclose(shares.mean(axis=(1, 2)) + head.bias[0], expected[:, 0], rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_another_process_writes_the_same_bytes(project, run_stage):
    def digests():
        files = [path for folder in (EXPORT, Path("data/features")) for path in sorted(folder.rglob("*"))]
        return {path: sha256(path) for path in files if path.is_file()}

    write_lite0(project / "own.onnx", 64, channels_first=True)
    run_in(project, OWN | {"features.sizes": [64]}, (*STAGES, export))
    before = digests()
    for stage in ("featurize", "export"):
        done = run_stage(stage)
        assert done.returncode == 0, done.stderr
    assert digests() == before
    assert "within" in done.stdout


def test_a_hidden_layer_is_exported_too(project):
    write_tiny(project / "own.onnx")
    run_in(project, OWN | {"head.hidden_units": 5, "warmup.solver": "sgd"}, (*STAGES, export))
    images = load_rows("data/images/pixels")[TEST]
    expected = Predictions.load(Path("data/predictions/test.npz")).logits
    for runtime in EXACT_RUNTIMES:
        np.testing.assert_allclose(exported_logits(runtime, images).logits, expected, rtol=1e-3, atol=1e-4)
    assert not (EXPORT / HEAD_FILE).exists()


def test_an_embedding_alone_has_no_head_for_heat_maps(project):
    write_tiny(project / "own.onnx", maps=False)
    run_in(project, OWN, (*STAGES, export))
    assert not (EXPORT / HEAD_FILE).exists()
    for runtime in EXACT_RUNTIMES:
        found = exported_logits(runtime, load_rows("data/images/pixels")[:2], maps=True)
        assert found.features.shape == (2, 4)
        assert {name: maps.shape for name, maps in found.maps.items()} == {"map_32_pooled_embedding": (2, 1, 1, 4)}


def test_a_file_that_was_changed_under_its_name_stops_the_export(project):
    write_tiny(project / "own.onnx")
    run_in(project, OWN)
    model = tiny_model()
    model.graph.initializer[1].raw_data = np.float32(0.75).tobytes()
    (project / "own.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(LacunaError, match=r"or the file of backbone.weights was changed after featurize"):
        export(write_params(project, SMALL | OWN))
    assert not EXPORT.exists()
    write_tiny(project / "own.onnx", maps=False)
    with pytest.raises(LacunaError, match=r"trained on other features or targets than own.onnx"):
        export(write_params(project, SMALL | OWN))


def test_a_bundle_without_a_network_for_keras_says_which_runtimes_it_has(tmp_path):
    with pytest.raises(
        LacunaError, match=r"no network for keras; a backbone from an ONNX file or of KerasHub has none: use openvino"
    ):
        Predictor.load(write_tiny_bundle(tmp_path / "bundle"), "keras")


def test_simpler_models_are_timed_on_the_file(project):
    write_tiny(project / "own.onnx")
    params = write_params(project, SMALL | OWN)
    size, run = size_and_run(params.backbone, params.features, 32)
    assert size == WEIGHTS.size + 2
    images = load_rows("data/images/pixels")[:3]
    mean, std = np.array(params.backbone.mean), np.array(params.backbone.std)
    np.testing.assert_allclose(run(images), hand_computed(images, mean, std), atol=1e-5)


@pytest.mark.slow
def test_lite0_from_a_file_trains_the_model_that_lite0_trains(project):
    write_lite0(project / "own.onnx", 64, channels_first=True)
    found = {}
    lite0 = {"backbone.name": "efficientnet_lite0", "backbone.weights": "imagenet"}
    own = {"backbone.mean": [127, 127, 127], "backbone.std": [128, 128, 128]}
    images = load_rows("data/images/pixels")[TEST]
    for name, changes in (("lite0", ALWAYS | lite0), ("own", OWN | own)):
        run_in(project, changes | {"features.sizes": [64]}, (*STAGES, export))
        logits = Predictions.load(Path("data/predictions/test.npz")).logits
        found[name] = [logits, *(exported_logits(runtime, images).logits for runtime in EXACT_RUNTIMES)]
    scale = np.abs(found["lite0"][0]).max()
    for one, other in zip(found["lite0"], found["own"], strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-3 * scale)
