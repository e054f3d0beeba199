import numpy as np
import pytest

from lacuna.core.feature_store import ColumnBlock, FeatureLayout
from lacuna.errors import LacunaError
from lacuna.inference.runtimes import load_network

SIZE = 8


def colour_network(logits_of):
    """Its map is the image from 0 to 1, its features are the means of the channels, its logits what is made of them."""
    from lacuna.features.backend import keras, layers
    from lacuna.training.model import TrainedNetwork

    image = keras.Input((SIZE, SIZE, 3), dtype="uint8")
    whole = layers.Rescaling(1 / 255)(image)
    features = layers.GlobalAveragePooling2D()(whole)
    logits = logits_of(features)
    layout = FeatureLayout((ColumnBlock(SIZE, "image", "mean", 3, top=True),))
    maps = {layout.map_names[0]: whole}
    return TrainedNetwork(image, maps, features, logits, layout, keras.Model(features, logits), None)


def test_any_number_of_images_gives_logits_features_and_maps_by_their_names(tmp_path):
    from lacuna.export.litert_export import export_litert
    from lacuna.features.backend import layers

    network = colour_network(layers.Rescaling([2.0, 1.0, 0.0], offset=-1.0))
    export_litert(network, tmp_path)
    infer = load_network(tmp_path, "litert")
    for n in (1, 3, 2):
        images = np.random.default_rng(n).integers(0, 256, (n, SIZE, SIZE, 3), dtype=np.uint8)
        means = images.mean(axis=(1, 2)) / 255
        plain, whole = infer(images), infer(images, maps=True)
        np.testing.assert_allclose(plain.features, means, atol=1e-6)
        np.testing.assert_allclose(plain.logits, means * [2, 1, 0] - 1, atol=1e-6)
        assert plain.maps == {}
        np.testing.assert_allclose(whole.maps[network.layout.map_names[0]], images / 255, atol=1e-6)


def test_an_operation_that_litert_lacks_is_one_line_that_names_the_parameter(tmp_path):
    from lacuna.export.litert_export import export_litert
    from lacuna.features.backend import layers, ops

    with pytest.raises(LacunaError, match=r"export\.litert: LiteRT cannot hold this network .*; write false") as caught:
        export_litert(colour_network(layers.Lambda(lambda x: ops.erfinv(x / 2))), tmp_path)
    assert "\n" not in str(caught.value)
