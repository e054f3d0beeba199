from dataclasses import replace

import numpy as np
import pytest

from lacuna.core import head_weights
from lacuna.core.head_weights import HeadWeights
from lacuna.errors import LacunaError
from lacuna.io.atomic import save_arrays

LINEAR = HeadWeights(
    mean=np.array([1.0, 2.0]),
    scale=np.array([2.0, 4.0]),
    weights=np.array([[1.0, 0.0, -1.0], [0.5, 2.0, 0.0]]),
    bias=np.array([0.25, 0.0, -1.0]),
)
HIDDEN = replace(
    LINEAR, hidden=(np.array([[1.0, -1.0], [0.0, 1.0]]), np.array([0.0, 0.5]), np.array([[1.0, 0.0, 0.0], [0, 3.0, 0]]))
)
FEATURES = np.array([[3.0, 2.0], [1.0, -2.0]], np.float32)  # standardized: (1, 0) and (0, -1)


def test_logits_by_hand():
    expected = [[1.25, 0.0, -2.0], [-0.25, -2.0, -1.0]]
    found = LINEAR.logits(FEATURES)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.float32
    # units of the first image: 1 and max(-1 + 0.5, 0); of the second: 0 and max(-1 + 0.5, 0)
    np.testing.assert_array_equal(HIDDEN.logits(FEATURES), np.add(expected, [[1, 0, 0], [0, 0, 0]]))
    assert LINEAR.linear
    assert not HIDDEN.linear
    assert (LINEAR.n_hidden, HIDDEN.n_hidden) == (0, 2)


def test_slopes_are_what_a_feature_adds_to_the_logits():
    step = np.eye(2, dtype=np.float32)
    np.testing.assert_allclose(
        LINEAR.logits(FEATURES[:1] + step) - LINEAR.logits(FEATURES[:1]), LINEAR.slopes(), rtol=1e-6
    )


def test_slopes_at_an_image_are_those_of_its_score():
    """A hidden unit that is off at an image adds nothing: at the first both features reach one unit only, by hand."""
    weights = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, -1.0]])
    linear = [[0.5, 0.5 / 4 + 4 / 4], [0.5, 2 / 4]]
    np.testing.assert_allclose(LINEAR.slopes_at(FEATURES, weights), linear)
    first_unit = [[1 / 2, 0], [0, 0]]
    np.testing.assert_allclose(HIDDEN.slopes_at(FEATURES, weights), np.add(linear, first_unit))


def test_images_by_the_block_have_the_logits_that_they_have_alone(monkeypatch):
    features = np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32)
    whole = HIDDEN.logits(features)
    monkeypatch.setattr(head_weights, "FEATURES_AT_ONCE", 3)
    np.testing.assert_allclose(HIDDEN.logits(features), whole, rtol=1e-6)
    assert HIDDEN.logits(features[:0]).shape == (0, 3)


@pytest.mark.parametrize("head", [LINEAR, HIDDEN], ids=["linear", "hidden"])
def test_more_columns_add_their_share_and_nothing_else(head):
    wider = head.with_columns(np.array([5.0]), np.array([2.0]), np.array([[0.0, 1.0, -1.0]]))
    features = np.hstack([FEATURES, np.array([[7.0], [5.0]], np.float32)])
    np.testing.assert_allclose(wider.logits(features) - head.logits(FEATURES), [[0, 1, -1], [0, 0, 0]], atol=1e-6)
    assert wider.n_hidden == head.n_hidden


@pytest.mark.parametrize("head", [LINEAR, HIDDEN], ids=["linear", "hidden"])
def test_scaled_its_features_add_that_share_to_the_bias(head):
    added = head.logits(FEATURES) - head.bias
    np.testing.assert_allclose(head.scaled(0.25).logits(FEATURES), head.bias + 0.25 * added, rtol=1e-5)


@pytest.mark.parametrize("head", [LINEAR, HIDDEN], ids=["linear", "hidden"])
def test_what_is_saved_comes_back_exactly_and_has_the_same_bytes(tmp_path, head):
    head = replace(head, weights=head.weights / 3)
    head.save(tmp_path / "one.npz")
    read = HeadWeights.load(tmp_path / "one.npz")
    read.save(tmp_path / "two.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    for name in ("mean", "scale", "weights", "bias"):
        np.testing.assert_array_equal(getattr(read, name), getattr(head, name))
    assert read.n_hidden == head.n_hidden
    np.testing.assert_array_equal(read.logits(FEATURES), head.logits(FEATURES))


GOOD = {"mean": HIDDEN.mean, "scale": HIDDEN.scale, "weights": HIDDEN.weights, "bias": HIDDEN.bias} | dict(
    zip(head_weights.HIDDEN, HIDDEN.hidden, strict=True)
)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        *((name, None) for name in GOOD),
        ("mean", np.zeros(3)),
        ("mean", np.zeros((2, 1))),
        ("scale", np.array([1.0, 0.0])),
        ("scale", np.array([1.0, -1.0])),
        ("weights", np.zeros((3, 2))),
        ("weights", np.full((2, 3), np.nan)),
        ("bias", np.array([0.0, np.inf, 0.0])),
        ("bias", np.zeros((3, 1))),
        ("bias", np.array(["a", "b", "c"])),
        ("hidden_weights", np.zeros((2, 3))),
        ("hidden_logits", np.zeros((2, 2))),
        ("hidden_bias", np.full(2, np.nan)),
    ],
)
def test_a_file_that_holds_no_head_is_named_in_one_line(tmp_path, part, value):
    arrays = GOOD | {part: value}
    save_arrays(tmp_path / "head.npz", {name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(LacunaError, match=r"head\.npz: not the weights of a head.*; run `dvc repro") as caught:
        HeadWeights.load(tmp_path / "head.npz")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"", b"junk", "cut off"])
def test_a_missing_or_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "head.npz"
    if content == "cut off":
        LINEAR.save(path)
        content = path.read_bytes()[:-40]
        path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LacunaError, match=r"head\.npz") as caught:
        HeadWeights.load(path)
    assert "\n" not in str(caught.value)
