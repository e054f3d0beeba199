import numpy as np
import pytest

from lacuna.config.backbone import Backbone
from lacuna.config.blocks import Features
from lacuna.features import frozen_pass
from lacuna.features.backend import keras
from lacuna.features.frozen_pass import frozen_runner
from lacuna.features.stages import build_extractor, feature_network

N = 12


def network(name="small_cnn", weights="none", size=40):
    extractor = build_extractor(
        Backbone(name=name, weights=weights, interpolation="bilinear", mean=(0, 0, 0), std=(1, 1, 1)),
        Features(sizes=(size,), stages="all", max_gb=1.0),
        24,
    )
    return feature_network(extractor)


def outputs(model, images, numbers=None):
    """What the pass gives for each image, by its number."""
    found = {}
    pairs = list(enumerate(images)) if numbers is None else [(int(n), images[n]) for n in numbers]
    with frozen_runner(model) as run:
        run(iter(pairs), lambda number, out: found.update({number: [part.copy() for part in out]}))
    assert sorted(found) == sorted(number for number, _ in pairs)
    return found


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (N, 24, 24, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def small():
    return network()


@pytest.fixture(scope="module")
def found_by_small(images, small):
    return outputs(small, images)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "weights", "size"),
    [("efficientnet_lite0", "imagenet", 64), ("efficientnet_lite0", "imagenet", 20), ("efficientnet_b0", "none", 64)],
)
def test_it_agrees_with_keras(images, name, weights, size):
    model = network(name, weights, size)
    found = np.stack([out[0] for _, out in sorted(outputs(model, images).items())])
    expected = np.asarray(model(images, training=False))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
    scale = np.abs(expected).max(axis=0)
    assert (np.abs(found - expected).max(axis=0) <= 1e-3 * scale + 1e-5).all()


def test_neither_order_nor_neighbours_nor_the_run_change_a_byte(images, small, found_by_small):
    shuffled = outputs(small, images, np.random.default_rng(1).permutation(N))
    alone = outputs(small, images, [7])
    for number, (out,) in found_by_small.items():
        np.testing.assert_array_equal(shuffled[number][0], out)
    np.testing.assert_array_equal(alone[7][0], found_by_small[7][0])


@pytest.mark.parametrize("cores", [1, 3])
def test_the_number_of_cores_changes_no_byte(images, small, found_by_small, monkeypatch, cores):
    monkeypatch.setattr(frozen_pass, "n_cores", lambda: cores)
    monkeypatch.setattr("lacuna.io.openvino_runtime.n_cores", lambda: cores)
    for number, (out,) in outputs(small, images).items():
        np.testing.assert_array_equal(out, found_by_small[number][0])


def test_several_outputs_come_in_the_networks_order(images):
    image = keras.Input((24, 24, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(image)
    model = keras.Model(image, [keras.layers.Conv2D(3, 1)(x), x, keras.layers.GlobalAveragePooling2D()(x)])
    for number, found in outputs(model, images[:3]).items():
        expected = [np.asarray(part)[0] for part in model(images[number : number + 1])]
        assert [part.shape for part in found] == [(24, 24, 3), (24, 24, 3), (3,)]
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_what_receive_raises_comes_out_and_ends_the_pass(images, small):
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield len(taken), images[0]

    def fail(number, _):
        if number == 5:
            raise OSError(28, "disk full")

    with frozen_runner(small) as run, pytest.raises(OSError, match="disk full"):
        run(endless(), fail)
    assert len(taken) < 200


def test_what_the_images_raise_comes_out_after_those_under_way(images, small):
    received = []

    def broken():
        yield 0, images[0]
        yield 1, images[1]
        raise ValueError("damaged")

    with frozen_runner(small) as run, pytest.raises(ValueError, match="damaged"):
        run(broken(), lambda number, _: received.append(number))
    assert sorted(received) == [0, 1]


def test_many_lots_of_images_by_one_compiled_network(images, small, found_by_small):
    found = {}
    with frozen_runner(small) as run:
        for number in range(N):
            run([(number, images[number])], lambda number, out: found.update({number: out[0].copy()}))
            run([], None)
    for number, (out,) in found_by_small.items():
        np.testing.assert_array_equal(found[number], out)


def test_no_images_are_no_calls(small):
    assert outputs(small, []) == {}


def test_another_backend_runs_keras_itself_one_image_at_a_time(images, small, monkeypatch):
    expected = np.asarray(small(images, training=False))
    monkeypatch.setattr(frozen_pass.keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(frozen_pass, "_convert", None)
    for number, (out,) in outputs(small, images).items():
        np.testing.assert_allclose(out, expected[number], rtol=1e-3, atol=1e-4)
