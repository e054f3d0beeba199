import hashlib
from pathlib import Path

import numpy as np
import pytest

from lacuna.core.targets import Target, Targets
from lacuna.errors import LacunaError
from lacuna.inference.runtimes import EXACT_RUNTIMES, load_network

SIZE = 32
TARGETS = Targets((Target("kind", "categorical", ("bag", "shoe", "hat")), Target("red", "binary", ("0", "1"))))


@pytest.fixture
def trained(tiny_project):
    """Return a function that makes a project at the point where `export` runs, its head with random weights."""

    def make(backbone, **changes):
        from lacuna.features.backbones import build_backbone
        from lacuna.training.model import attach_head, build_head

        always = {"backbone.name": backbone, "backbone.weights": "none", "data.image_size": SIZE}
        params = tiny_project({**always, **changes})
        for folder in ("data/images", "data/predictions", "models"):
            Path(folder).mkdir(parents=True)
        images = np.random.default_rng(0).integers(0, 256, (40, SIZE, SIZE, 3), dtype=np.uint8)
        np.save("data/images/images.npy", images)
        Path("data/prepared").mkdir()
        parts = "".join(f"{row},{'train' if row % 2 else 'test'}\n" for row in range(40))
        Path("data/prepared/manifest.csv").write_text(f"row,split\n{parts}")
        TARGETS.save(Path("data/predictions/targets.json"))
        body = build_backbone(params.backbone, SIZE)
        if params.backbone.weights == "none":  # the statistics of these images, so that its features differ from 0
            for layer in body.layers:
                if type(layer).__name__ == "BatchNormalization":
                    layer.momentum = 0.0
            features = np.asarray(body(images, training=True))
            assert features.std() > 0.1
        attach_head(body, build_head(body.output_shape[-1], TARGETS, params.head)).save_weights(
            "models/finetuned.weights.h5"
        )
        return params

    return make


def export_and_hash(params):
    from stages.export import export

    assert set(export(params)["export_difference"]) == set(EXACT_RUNTIMES)
    return hash_files()


def hash_files():
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in Path("models/export").iterdir()}


def test_both_formats_are_written_with_the_same_bytes_in_every_run(trained, run_stage):
    trained("small_cnn")
    hashes = []
    for _ in range(2):  # as DVC runs it, each in a process of its own: tf2onnx numbers names through a process's life
        done = run_stage("export")
        assert done.returncode == 0, done.stderr
        assert ["on 32 images" in line for line in done.stdout.splitlines()] == [True, True]
        hashes.append(hash_files())
    assert set(hashes[0]) == {"head.npy", "keras.json", "keras.weights.h5", "model.bin", "model.onnx", "model.xml"}
    assert hashes[0] == hashes[1]


def test_every_runtime_says_what_keras_says_with_fewer_digits_less_exactly(trained):
    from stages.export import export

    params = trained("small_cnn", **{"export.int8": True})
    said = export(params)["export_difference"]
    assert set(said) == {*EXACT_RUNTIMES, "openvino-int8"}
    assert max(said["openvino"], said["onnx"]) < said["openvino-int8"] < 0.2
    images = np.load("data/images/images.npy")[:3]
    exact = load_network(Path("models/export"), "keras")(images)
    for runtime, tolerance in (("openvino", 1e-4), ("onnx", 1e-4), ("openvino-bf16", 0.2), ("openvino-int8", 1.0)):
        logits, features = load_network(Path("models/export"), runtime)(images)
        np.testing.assert_allclose(logits, exact.logits, atol=tolerance)
        assert features.shape == exact.features.shape


def test_the_normalization_and_swish_of_b0_and_every_layer_of_the_head_are_exported_too(trained):
    assert export_and_hash(trained("efficientnet_b0", **{"head.batch_norm": True, "head.hidden_units": 8}))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backbone", "weights"),
    [
        ("efficientnet_lite0", "imagenet"),
        ("efficientnet_lite1", "imagenet"),
        ("efficientnet_lite2", "imagenet"),
        ("efficientnet_v2b0", "none"),
        ("mobilenet_v2", "imagenet"),
        ("resnet50", "none"),
        ("small_cnn", "none"),
    ],
)
def test_every_backbone_is_exported_with_its_enlarging(trained, backbone, weights):
    assert export_and_hash(trained(backbone, **{"backbone.weights": weights, "backbone.input_size": 48}))


def test_nothing_is_written_when_a_runtime_disagrees_with_keras(trained, monkeypatch):
    import stages.export

    def export_another(model, folder):
        head = model.get_layer("head")
        head.set_weights([weights + 0.5 for weights in head.get_weights()])
        write(model, folder)
        model.load_weights("models/finetuned.weights.h5")

    write = stages.export.export_network
    monkeypatch.setattr(stages.export, "export_network", export_another)
    with pytest.raises(LacunaError, match="differs from Keras"):
        stages.export.export(trained("small_cnn"))
    assert not list(Path("models").glob("export*"))
