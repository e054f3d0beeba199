import numpy as np
import pytest
from PIL import Image

from lacuna.backbones import BACKBONES, build_backbone, cut, lite0_checkpoint
from lacuna.errors import LacunaError

FIRST_UNFROZEN = {"efficientnet_lite0": "b13_depthwise_bn", "efficientnet_b0": "block6d_bn"}
BOUNDARY = {"efficientnet_lite0": "b12_add", "efficientnet_b0": "block6c_add"}


@pytest.fixture(scope="module")
def lite0():
    return build_backbone("efficientnet_lite0", "imagenet", 224)


@pytest.mark.parametrize(
    ("photo", "classes"),
    [("cat", {281, 282, 285}), ("coffee", {967, 968, 504}), ("rocket", {657, 812})],
    ids=["cat: tabby, tiger or Egyptian cat", "coffee: espresso, cup or mug", "rocket: missile or space shuttle"],
)
def test_lite0_knows_real_photos(lite0, photo, classes):
    import skimage.data

    image = Image.fromarray(getattr(skimage.data, photo)()).resize((224, 224), Image.Resampling.BICUBIC)
    checkpoint = lite0_checkpoint()
    features = lite0.predict_on_batch(np.asarray(image)[None]).mean(axis=(1, 2))
    scores = features @ checkpoint["_fc.weight"].T + checkpoint["_fc.bias"]
    best_two = set(np.argsort(-scores[0])[:2].tolist())
    assert best_two & classes


@pytest.mark.parametrize("name", BACKBONES)
def test_27_layers_put_the_boundary_where_the_design_says(name):
    backbone = build_backbone(name, "none", 64)
    parts = cut(backbone, unfreeze=27)
    assert backbone.layers[-27].name == FIRST_UNFROZEN[name]
    assert parts.boundary == BOUNDARY[name]
    trainable = {layer.name for layer in backbone.layers if layer.trainable and layer.weights}
    top_27 = {layer.name for layer in backbone.layers[-27:]}
    assert trainable
    assert trainable <= top_27
    assert not any(name.endswith("bn") for name in trainable)


@pytest.mark.parametrize("unfreeze", [0, 1, 27, 60, 10_000])
def test_trunk_and_tail_are_the_whole(unfreeze):
    backbone = build_backbone("efficientnet_lite0", "none", 64)
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    parts = cut(backbone, unfreeze)
    whole = backbone.predict_on_batch(images)
    np.testing.assert_array_equal(parts.tail.predict_on_batch(parts.trunk.predict_on_batch(images)), whole)
    assert bool(parts.trunk.trainable_weights) is False
    assert bool(parts.tail.trainable_weights) is (unfreeze > 1)


@pytest.mark.parametrize("name", BACKBONES)
def test_weights_from_a_local_file(tmp_path, name):
    trained = build_backbone(name, "none", 32)
    trained.save_weights(tmp_path / "own.weights.h5")
    loaded = build_backbone(name, str(tmp_path / "own.weights.h5"), 32)
    for one, other in zip(trained.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_that_do_not_fit_are_a_clear_error(tmp_path):
    build_backbone("efficientnet_b0", "none", 32).save_weights(tmp_path / "b0.weights.h5")
    with pytest.raises(
        LacunaError, match=r"backbone.weights: .*b0.weights.h5 cannot be loaded into efficientnet_lite0"
    ):
        build_backbone("efficientnet_lite0", str(tmp_path / "b0.weights.h5"), 32)
    with pytest.raises(LacunaError, match=r"backbone.weights: nowhere.weights.h5 cannot be loaded"):
        build_backbone("efficientnet_lite0", "nowhere.weights.h5", 32)


def test_b0_preprocesses_like_its_imagenet_weights_expect():
    backbone = build_backbone("efficientnet_b0", "none", 32)
    normalization = next(layer for layer in backbone.layers if layer.name.startswith("normalization"))
    white = np.ones((1, 1, 1, 3), np.float32)
    expected = (1 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    np.testing.assert_allclose(np.asarray(normalization(white)).ravel(), expected, rtol=1e-4)


def test_b0_without_its_download_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path), raising=False)
    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    with pytest.raises(LacunaError, match=r"could not be downloaded.*efficientnet_lite0, which needs no download"):
        build_backbone("efficientnet_b0", "imagenet", 224)
