import numpy as np
import pytest
from PIL import Image

from lacuna.backbones import BACKBONES, build_backbone
from lacuna.backbones.efficientnet_lite import checkpoint as lite_checkpoint
from lacuna.config import Backbone
from lacuna.errors import LacunaError


def settings(name, weights="none"):
    return Backbone(name=name, weights=weights, input_size=0, interpolation="bilinear")


@pytest.fixture(scope="module")
def lite0():
    return build_backbone(settings("efficientnet_lite0", "imagenet"), 224)


@pytest.mark.parametrize(
    ("photo", "classes"),
    [("cat", {281, 282, 285}), ("coffee", {967, 968, 504}), ("rocket", {657, 812})],
    ids=["cat: tabby, tiger or Egyptian cat", "coffee: espresso, cup or mug", "rocket: missile or space shuttle"],
)
def test_lite0_knows_real_photos(lite0, photo, classes):
    import skimage.data

    image = Image.fromarray(getattr(skimage.data, photo)()).resize((224, 224), Image.Resampling.BICUBIC)
    checkpoint = lite_checkpoint(0)
    features = lite0.predict_on_batch(np.asarray(image)[None]).mean(axis=(1, 2))
    scores = features @ checkpoint["_fc.weight"].T + checkpoint["_fc.bias"]
    best_two = set(np.argsort(-scores[0])[:2].tolist())
    assert best_two & classes


@pytest.mark.parametrize("name", BACKBONES)
def test_weights_from_a_local_file(tmp_path, name):
    trained = build_backbone(settings(name, "none"), 32)
    trained.save_weights(tmp_path / "own.weights.h5")
    loaded = build_backbone(settings(name, str(tmp_path / "own.weights.h5")), 32)
    for one, other in zip(trained.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_that_do_not_fit_are_a_clear_error(tmp_path):
    build_backbone(settings("efficientnet_b0", "none"), 32).save_weights(tmp_path / "b0.weights.h5")
    with pytest.raises(
        LacunaError, match=r"backbone.weights: .*b0.weights.h5 cannot be loaded into efficientnet_lite0"
    ):
        build_backbone(settings("efficientnet_lite0", str(tmp_path / "b0.weights.h5")), 32)
    with pytest.raises(LacunaError, match=r"backbone.weights: nowhere.weights.h5 cannot be loaded"):
        build_backbone(settings("efficientnet_lite0", "nowhere.weights.h5"), 32)


def test_b0_preprocesses_like_its_imagenet_weights_expect():
    backbone = build_backbone(settings("efficientnet_b0", "none"), 32)
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
        build_backbone(settings("efficientnet_b0", "imagenet"), 224)
