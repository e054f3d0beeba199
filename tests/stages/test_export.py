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
    """Return a function that makes a project at the point where `export` runs, its network with random weights."""

    def make(**changes):
        from lacuna.features.backbones import build_backbone
        from lacuna.training.model import attach_head, build_head

        always = {"backbone.name": "small_cnn", "backbone.weights": "none", "data.image_size": SIZE}
        params = tiny_project(always | changes)
        for folder in ("data/images", "data/predictions", "data/prepared", "models"):
            Path(folder).mkdir(parents=True)
        images = np.random.default_rng(0).integers(0, 256, (40, SIZE, SIZE, 3), dtype=np.uint8)
        np.save("data/images/images.npy", images)
        parts = "".join(f"{row},{'train' if row % 2 else 'test'}\n" for row in range(40))
        Path("data/prepared/manifest.csv").write_text(f"row,split\n{parts}")
        TARGETS.save(Path("data/predictions/targets.json"))
        body = build_backbone(params.backbone, SIZE)
        head = build_head(body.output_shape[-1], TARGETS, params.head)
        attach_head(body, head).save_weights("models/finetuned.weights.h5")
        return params

    return make


@pytest.mark.slow
def test_the_stage_writes_both_formats_and_says_how_near_they_are(trained, run_stage):
    """That another process writes the same bytes, tests/export and tests/end_to_end show."""
    trained()
    done = run_stage("export")
    assert done.returncode == 0, done.stderr
    assert ["on 32 images" in line for line in done.stdout.splitlines()] == [True, True]
    names = {path.name for path in Path("models/export").iterdir()}
    assert names == {"head.npy", "keras.json", "keras.weights.h5", "model.bin", "model.onnx", "model.xml"}


def test_every_runtime_says_what_keras_says_with_fewer_digits_less_exactly(trained):
    from stages.export import export

    params = trained(**{"export.int8": True, "head.batch_norm": True, "head.hidden_units": 8})
    said = export(params)["export_difference"]
    assert set(said) == {*EXACT_RUNTIMES, "openvino-int8"}
    assert max(said["openvino"], said["onnx"]) < said["openvino-int8"] < 0.2
    images = np.load("data/images/images.npy")[:3]
    exact = load_network(Path("models/export"), "keras")(images)
    for runtime, tolerance in (("openvino", 1e-4), ("onnx", 1e-4), ("openvino-bf16", 0.2), ("openvino-int8", 1.0)):
        logits, features = load_network(Path("models/export"), runtime)(images)
        np.testing.assert_allclose(logits, exact.logits, atol=tolerance)
        assert features.shape == exact.features.shape


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
        stages.export.export(trained())
    assert not list(Path("models").glob("export*"))
