from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lacuna.core.feature_maps import heat_maps
from lacuna.core.head_weights import HeadWeights
from lacuna.core.targets import Target, Targets
from lacuna.errors import LacunaError
from lacuna.inference.runtimes import EXACT_RUNTIMES, HEAD_FILE, load_layout, load_network
from lacuna.reporting.file_usage import code_by_library, code_for_images
from tests.shards import load_rows, save_rows
from tests.trained_model import write_trained

SIZE = 32
TARGETS = Targets((Target("kind", "categorical", ("bag", "shoe", "hat")), Target("red", "binary", ("0", "1"))))


@pytest.fixture
def trained(tiny_project):
    """Return a function that makes a project at the point where `export` runs, its network with random weights."""

    def make(**changes):
        kept = changes.pop("kept", "head")
        always = {"backbone.name": "small_cnn", "backbone.weights": "none", "data.image_size": SIZE}
        always |= {"features.sizes": [0], "features.stages": "all", "finetune.unfreeze": "b2"}
        params = tiny_project(always | changes)
        for folder in ("data/images", "data/predictions", "data/prepared", "models"):
            Path(folder).mkdir(parents=True)
        images = np.random.default_rng(0).integers(0, 256, (40, SIZE, SIZE, 3), dtype=np.uint8)
        save_rows("data/images/pixels", images)
        parts = "".join(f"{row},{'train' if row % 2 else 'test'}\n" for row in range(40))
        Path("data/prepared/manifest.csv").write_text(f"row,split\n{parts}")
        TARGETS.save(Path("data/predictions/targets.json"))
        write_trained(params, SIZE, TARGETS, kept)
        return params

    return make


@pytest.mark.slow
def test_the_stage_writes_both_formats_and_says_how_near_they_are(trained, run_stage):
    """That another process writes the same bytes, tests/export and tests/end_to_end show."""
    trained()
    done = run_stage("export")
    assert done.returncode == 0, done.stderr
    assert ["on 32 images" in line for line in done.stdout.splitlines()] == [True, True]
    files = ["head.npz", "keras.json", "keras.weights.h5", "layout.json", "model.bin", "model.onnx", "model.xml"]
    assert sorted(path.name for path in Path("models/export").iterdir()) == files


def test_every_runtime_says_what_keras_says_with_fewer_digits_less_exactly(trained, monkeypatch):
    """So does the code that the model card gives for each file, as it stands there."""
    from stages.export import export

    params = trained(**{"export.int8": True, "export.litert": True, "head.hidden_units": 8, "warmup.solver": "sgd"})
    said = export(params)["export_difference"]
    assert set(said) == {*EXACT_RUNTIMES, "litert", "openvino-int8"}
    assert max(said["openvino"], said["onnx"], said["litert"]) < said["openvino-int8"] < 0.2
    images = load_rows("data/images/pixels")[:3]
    exact = load_network(Path("models/export"), "keras")(images, maps=True)
    assert set(exact.maps) == set(load_layout(Path("models/export")).map_names)
    tolerances = {"openvino": 1e-4, "onnx": 1e-4, "litert": 1e-4, "openvino-bf16": 0.2, "openvino-int8": 1.0}
    for runtime, tolerance in tolerances.items():
        found = load_network(Path("models/export"), runtime)(images, maps=True)
        np.testing.assert_allclose(found.logits, exact.logits, atol=tolerance)
        assert found.features.shape == exact.features.shape
        assert {name: maps.shape for name, maps in found.maps.items()} == {
            name: maps.shape for name, maps in exact.maps.items()
        }
    monkeypatch.chdir("models/export")
    Image.fromarray(images[0]).save("IMAGE", "PNG")
    codes = code_by_library(path.name for path in Path().iterdir())
    assert [library.split()[0].strip(",;") for library in codes] == ["OpenVINO", "OpenVINO", "ONNX", "LiteRT", "Keras"]
    for library, code in codes.items():
        assert len(code.splitlines()) <= 5
        names: dict[str, object] = {}
        exec(f"{code_for_images(SIZE, 'pad')}\n{code}", names)
        np.testing.assert_allclose(names["logits"], exact.logits[:1], atol=1.0 if "8-bit" in library else 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kept", ["head", "fine-tuned", "mean"])
@pytest.mark.parametrize(
    "seen",
    [{"features.stages": ["b1"]}, {"features.sizes": [24, 0]}, {"backbone.name": ["small_cnn", "mobilenet_v2"]}],
    ids=["one stage", "two sizes", "two backbones"],
)
def test_whatever_is_kept_every_runtime_has_its_own_shares_of_the_logits(trained, kept, seen):
    """Rebuilt by Keras from keras.json, and exported: shares of all maps and the head's bias make the logits."""
    from stages.export import export

    export(trained(**{"kept": kept, **seen}))
    folder = Path("models/export")
    images = load_rows("data/images/pixels")[:4]
    head, layout = HeadWeights.load(folder / HEAD_FILE), load_layout(folder)
    assert layout.n_columns == len(head.mean)
    assert any(block.tuned for block in layout.blocks) == (kept != "head")
    for runtime in (*EXACT_RUNTIMES, "keras"):
        output = load_network(folder, runtime)(images, maps=True)
        for logit in range(TARGETS.n_logits):
            slopes = np.tile(head.slopes()[:, logit], (len(images), 1))
            added = heat_maps(output.maps, layout, slopes, head.mean).mean(axis=(1, 2))
            np.testing.assert_allclose(added + head.bias[logit], output.logits[:, logit], rtol=1e-4, atol=1e-4)


def test_nothing_is_written_when_a_runtime_disagrees_with_keras(trained, monkeypatch):
    import stages.export

    def export_another(network, folder):
        weights = network.head.get_weights()
        network.head.set_weights([part + 0.5 for part in weights])
        write(network, folder)
        network.head.set_weights(weights)

    write = stages.export.export_network
    monkeypatch.setattr(stages.export, "export_network", export_another)
    with pytest.raises(LacunaError, match="differs from Keras"):
        stages.export.export(trained())
    assert not list(Path("models").glob("export*"))
