import re

import numpy as np
import pytest
from PIL import Image

from lacuna.config.backbone import BACKBONE_NAMES, WITHOUT_IMAGENET_WEIGHTS, Backbone
from lacuna.errors import LacunaError
from lacuna.features.backbones import BACKBONES, build_backbone, efficientnet_lite, mobilenet
from lacuna.features.backend import keras
from lacuna.features.torch_weights import read_packaged_weights
from lacuna.reporting.model_card import CITATIONS


def settings(name, weights="none"):
    return Backbone(name=name, weights=weights, interpolation="bilinear", mean=(0, 0, 0), std=(1, 1, 1))


CAT, COFFEE, ROCKET = {281, 282, 285}, {967, 968, 504}, {657, 812}
"""ImageNet's tabby, tiger and Egyptian cat; espresso, cup and mug; missile and space shuttle."""


def photo(name, size):
    import skimage.data

    picture = Image.fromarray(getattr(skimage.data, name)())
    return np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "checkpoint", "classifier", "pictures"),
    [
        ("efficientnet_lite0", lambda: efficientnet_lite.checkpoint(0), "_fc", {"rocket": ROCKET}),
        ("efficientnet_lite1", lambda: efficientnet_lite.checkpoint(1), "_fc", {}),
        ("efficientnet_lite2", lambda: efficientnet_lite.checkpoint(2), "_fc", {}),
        ("mobilenet_v2", mobilenet.checkpoint, "classifier.1", {}),
    ],
    ids=lambda value: value if isinstance(value, str) and "_" in value else "",
)
def test_pretrained_backbones_know_real_photos(name, checkpoint, classifier, pictures):
    pictures = {"cat": CAT, "coffee": COFFEE} | pictures
    backbone = build_backbone(settings(name, "imagenet"), BACKBONES[name].native_size)
    tensors = checkpoint()
    images = np.stack([photo(picture, BACKBONES[name].native_size) for picture in pictures])
    features = np.asarray(backbone(images)).mean(axis=(1, 2))
    scores = features @ tensors[f"{classifier}.weight"].T + tensors[f"{classifier}.bias"]
    for score, classes in zip(scores, pictures.values(), strict=True):
        assert set(np.argsort(-score)[:2].tolist()) & classes


@pytest.mark.slow
def test_every_tensor_of_a_checkpoint_but_the_classifier_is_used():
    for name, tensors in (
        ("efficientnet_lite1", efficientnet_lite.checkpoint(1)),
        ("efficientnet_lite2", efficientnet_lite.checkpoint(2)),
        ("mobilenet_v2", mobilenet.checkpoint()),
    ):
        parts = [key for key in tensors if "num_batches" not in key and not key.startswith(("_fc", "classifier"))]
        assert build_backbone(settings(name), 32).count_params() == sum(tensors[key].size for key in parts)


def test_mobilenet_sees_the_pixels_that_torch_sees():
    """In the first output pixel the kernel's first row and column lie on padding: 0 after preprocessing."""
    backbone = build_backbone(settings("mobilenet_v2", "imagenet"), 32)
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    stem = keras.Model(backbone.input, backbone.get_layer("stem_conv").output)
    seen = (image[:2, :2] / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    kernel = mobilenet.checkpoint()["features.0.0.weight"][:, :, 1:, 1:]
    expected = np.einsum("hwc,ochw->o", seen, kernel)
    np.testing.assert_allclose(np.asarray(stem(image[None]))[0, 0, 0], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "application", "preprocess"),
    [
        ("resnet50", keras.applications.ResNet50, keras.applications.resnet.preprocess_input),
        ("efficientnet_v2b0", keras.applications.EfficientNetV2B0, lambda images: images),
    ],
    ids=["resnet50", "efficientnet_v2b0"],
)
def test_weights_of_keras_give_what_its_own_network_gives(name, application, preprocess):
    source = application(include_top=False, weights=None)
    random = np.random.default_rng(0)
    source.set_weights([random.uniform(0.5, 1.5, w.shape) / w.shape[-1] for w in source.get_weights()])
    backbone = build_backbone(settings(name), 40)
    backbone.set_weights(source.get_weights())
    images = random.integers(0, 256, (2, 40, 40, 3), dtype=np.uint8)
    expected = np.asarray(source(preprocess(images.astype(np.float32))))
    np.testing.assert_allclose(np.asarray(backbone(images)), expected, rtol=1e-4)


def test_every_backbone_can_be_named_and_is_documented(repository):
    assert set(BACKBONE_NAMES) == set(BACKBONES)
    without = {name for name, architecture in BACKBONES.items() if architecture.load_imagenet is None}
    assert set(WITHOUT_IMAGENET_WEIGHTS) == without
    page = (repository / "docs/backbones.md").read_text(encoding="utf-8")
    for name, architecture in BACKBONES.items():
        assert re.search(rf"^\| `{name}` \| [\d.]+ M \| {architecture.native_size} \|", page, re.MULTILINE), name


def test_every_pretrained_backbone_is_cited_in_the_model_card():
    for name in set(BACKBONES) - set(WITHOUT_IMAGENET_WEIGHTS):
        assert any(name.startswith(start) for start in CITATIONS), name


def test_a_package_with_weights_that_is_not_there_is_named():
    with pytest.raises(LacunaError, match="no_such_package with the ImageNet weights is not installed"):
        read_packaged_weights("no_such_package", "*.pth")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_b0"])
def test_weights_from_a_local_file(tmp_path, name):
    trained = build_backbone(settings(name, "none"), 32)
    trained.save_weights(tmp_path / "own.weights.h5")
    loaded = build_backbone(settings(name, str(tmp_path / "own.weights.h5")), 32)
    for before, after in zip(trained.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("name", ["efficientnet_b0", "efficientnet_v2b0", "resnet50"])
def test_without_its_download_a_backbone_says_what_to_do(tmp_path, monkeypatch, name):
    monkeypatch.setattr("urllib.request._opener", None)  # urlopen keeps the proxies of its first call for later ones
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path), raising=False)
    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    with pytest.raises(LacunaError, match=rf"weights of {name} could not be .*lite0, which needs no download"):
        build_backbone(settings(name, "imagenet"), 32)
