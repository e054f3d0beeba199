import math
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from lacuna.config.blocks import Train
from lacuna.config.types import IgnoredWith
from lacuna.core.targets import Target, Targets
from lacuna.features.backend import keras
from lacuna.training.losses import LOSSES, MaskedLoss
from lacuna.training.statistics import TargetStatistics

TARGETS = Targets((Target("kind", "categorical", ("bag", "shoe", "hat")), Target("red", "binary", ("no", "yes"))))
STATISTICS = [TargetStatistics(0.5, (5, 3, 2), (0.5, 1.0, 2.0)), TargetStatistics(0.8, (12, 4), (0.75, 1.75))]
EVEN = [TargetStatistics(0.5, (5, 3, 2), (1.0, 1.0, 1.0)), TargetStatistics(0.8, (12, 4), (1.0, 1.0))]

PLAIN = Train(
    targets=(),
    target_weights={},
    loss="cross_entropy",
    gamma=0.0,
    alpha=0.5,
    gamma_negative=0.0,
    margin=0.0,
    label_smoothing=0.0,
    hardest=1.0,
    batch_size=8,
    seed=0,
)


def loss(labels, logits, statistics=EVEN, **options):
    objective = MaskedLoss(TARGETS, statistics, PLAIN.model_copy(update=options))
    return np.asarray(objective.call(np.asarray(labels), np.asarray(logits, np.float32)))


def logit(probability):
    return math.log(probability / (1 - probability))


def test_every_loss_can_be_named_and_is_documented(repository):
    assert set(get_args(Train.model_fields["loss"].annotation)) == set(LOSSES)
    page = (repository / "docs/training.md").read_text(encoding="utf-8")
    for name in LOSSES:
        assert f"\n| `{name}` |" in page


@pytest.mark.parametrize("key", ["gamma", "alpha", "gamma_negative", "margin"])
def test_a_parameter_changes_the_loss_unless_it_is_marked_as_ignored(key):
    (ignored,) = (mark for mark in Train.model_fields[key].metadata if isinstance(mark, IgnoredWith))
    labels, logits = [[0, 1], [1, 0]], [[0.5, 0, 0, 0.3], [0, 0.2, 0, 0.1]]
    for name in LOSSES:
        plain, changed = (loss(labels, logits, loss=name, **options) for options in ({}, {key: 0.2}))
        assert (plain.tolist() == changed.tolist()) == (name in ignored.values), name


def test_cross_entropy_by_hand():
    # kind: softmax of (ln 2, 0, 0) gives "bag" 1/2; expected count 1 image * 0.5. red: sigmoid(ln 3) = 3/4, share 0.8.
    labels, logits = [[0, 1]], [[math.log(2), 0, 0, math.log(3)]]
    by_hand = (math.log(2) / 0.5 + math.log(4 / 3) / 0.8) / 2
    assert loss(labels, logits) == pytest.approx([by_hand], rel=1e-5)
    log_loss = MaskedLoss(TARGETS, STATISTICS).call(np.array(labels), np.array(logits, np.float32))
    assert np.asarray(log_loss) == pytest.approx([by_hand], rel=1e-5)  # without options no class weights


def test_focal_factor_comes_from_the_unweighted_probability():
    value = loss([[2, -1]], [[0, 0, math.log(2), 0]], STATISTICS, loss="focal", gamma=2.0)
    assert value == pytest.approx([2.0 * (1 - 0.5) ** 2 * math.log(2) / 0.5 / 2], rel=1e-5)


def test_alpha_weighs_present_against_absent_and_a_half_changes_nothing():
    logits = [[0, 0, 0, 0.3], [0, 0, 0, 0.3]]
    labels = [[-1, 1], [-1, 0]]
    plain = loss(labels, logits)
    assert loss(labels, logits, loss="focal", alpha=0.5) == pytest.approx(plain, rel=1e-6)
    assert loss(labels, logits, loss="focal", alpha=0.9) == pytest.approx(plain * [1.8, 0.2], rel=1e-5)


def test_asymmetric_by_hand():
    # "present" at 0.6: (1 - 0.6)^1 * -ln 0.6. "absent" at 0.6: shifted to 0.55, 0.55^3 * -ln 0.45.
    labels, logits = [[-1, 1], [-1, 0]], [[0, 0, 0, logit(0.6)]] * 2
    value = loss(labels, logits, loss="asymmetric", gamma=1.0, gamma_negative=3.0, margin=0.05)
    expected = np.array([0.4 * -math.log(0.6), 0.55**3 * -math.log(0.45)]) / 0.8 / 2
    assert value == pytest.approx(expected, rel=1e-4)


def test_asymmetric_lets_easy_absent_images_be_and_leaves_categorical_targets_alone():
    options = {"loss": "asymmetric", "gamma": 1.0, "gamma_negative": 4.0, "margin": 0.05}
    assert loss([[-1, 0]], [[0, 0, 0, logit(0.04)]], **options) == pytest.approx([0], abs=1e-12)
    labels, logits = [[1, -1]], [[0.5, -1.0, 0.2, 0]]
    assert loss(labels, logits, **options) == pytest.approx(loss(labels, logits), rel=1e-6)


def test_smoothing_spreads_a_share_of_the_label_over_all_classes():
    # 0.3 over three classes: 0.8 for the label, 0.1 for each other. Over two: 0.85 and 0.15.
    log_p = np.log(np.array([2, 1, 1]) / 4)
    kind = loss([[0, -1]], [[math.log(2), 0, 0, 0]], label_smoothing=0.3)
    assert kind == pytest.approx([-(0.8 * log_p[0] + 0.1 * log_p[1] + 0.1 * log_p[2]) / 0.5 / 2], rel=1e-5)
    red = loss([[-1, 1]], [[0, 0, 0, logit(0.9)]], label_smoothing=0.3)
    assert red == pytest.approx([-(0.85 * math.log(0.9) + 0.15 * math.log(0.1)) / 0.8 / 2], rel=1e-4)


def test_smoothed_focal_applies_the_factor_under_each_class():
    value = loss([[-1, 1]], [[0, 0, 0, logit(0.9)]], loss="focal", gamma=2.0, label_smoothing=0.2)
    by_hand = 0.9 * 0.1**2 * -math.log(0.9) + 0.1 * 0.9**2 * -math.log(0.1)
    assert value == pytest.approx([by_hand / 0.8 / 2], rel=1e-4)


def test_target_weights_have_mean_one():
    labels, logits = [[0, -1], [-1, 1]], [[0.5, 0, 0, 0.3]] * 2
    value = loss(labels, logits, target_weights={"red": 3.0})
    assert value == pytest.approx(loss(labels, logits) * [0.5, 1.5], rel=1e-5)


def test_only_the_hardest_images_count_and_the_batch_weighs_as_before():
    probabilities = [0.9, 0.2, 0.7, 0.1]
    labels, logits = [[-1, 1]] * 4, [[0, 0, 0, logit(p)] for p in probabilities]
    plain = loss(labels, logits)
    assert loss(labels, logits, hardest=0.5) == pytest.approx(plain * [0, 2, 0, 2], rel=1e-5)
    assert loss(labels, logits, hardest=0.01) == pytest.approx(plain * [0, 0, 0, 4], rel=1e-5)  # never none at all


def test_images_without_labels_do_not_pass_for_easy_ones():
    labels = [[-1, -1], [-1, 1], [-1, -1], [-1, 1]]
    logits = [[0, 0, 0, logit(p)] for p in (0.5, 0.9, 0.5, 0.2)]
    assert loss(labels, logits, hardest=0.5) == pytest.approx(loss(labels, logits) * [0, 0, 0, 2], rel=1e-5)


def test_an_image_is_not_hard_for_being_labelled_in_full():
    # The first loses 2 * ln 2 / ... over two cells, the second more than ln 2 over its only one.
    labels, logits = [[0, 1], [-1, 1]], [[math.log(2), 0, 0, 0], [0, 0, 0, logit(0.4)]]
    plain = loss(labels, logits)
    assert plain[0] > plain[1]
    assert loss(labels, logits, hardest=0.5) == pytest.approx(plain * [0, 2], rel=1e-5)


def test_nothing_known_gives_zero():  # and no gradient: test_training.py, a part without any known label
    logits = np.full((3, 4), 50.0)
    for kind in ("focal", "asymmetric"):
        options = {"loss": kind, "gamma": 2.0, "alpha": 0.25, "label_smoothing": 0.1, "hardest": 0.5}
        assert loss(np.full((3, 2), -1), logits, **options).tolist() == [0, 0, 0]


def test_the_denominator_is_the_expected_count_not_the_found_one():
    # One known cell of four images weighs a quarter of what it would alone, whatever the others lack.
    alone = loss([[0, -1]], [[1, 0, 0, 0]]).mean()
    among_four = loss([[0, -1], [-1, -1], [-1, -1], [-1, -1]], np.tile([1.0, 0, 0, 0], (4, 1))).mean()
    assert among_four == pytest.approx(alone / 4, rel=1e-6)


OPTIONS = st.fixed_dictionaries(
    {
        "loss": st.sampled_from(list(LOSSES)),
        "gamma": st.sampled_from([0.0, 0.5, 2.0, 5.0]),
        "gamma_negative": st.sampled_from([0.0, 0.5, 4.0]),
        "margin": st.sampled_from([0.0, 0.05]),
        "label_smoothing": st.sampled_from([0.0, 0.1]),
        "hardest": st.sampled_from([1.0, 0.4]),
    }
)


@settings(max_examples=40)
@given(
    logits=npst.arrays(np.float32, (6, 4), elements=st.floats(-80, 80, width=32)),
    other=npst.arrays(np.float32, (6, 4), elements=st.floats(-80, 80, width=32)),
    labels=npst.arrays(np.int16, (6, 2), elements=st.integers(-1, 1)),
    options=OPTIONS,
)
def test_unknown_cells_never_matter_and_the_loss_is_finite(logits, other, labels, options):
    changed = with_other_unknowns(logits, other, labels)
    losses = loss(labels, logits, STATISTICS, **options)
    assert np.isfinite(losses).all()
    assert (losses >= 0).all()
    np.testing.assert_array_equal(losses, loss(labels, changed, STATISTICS, **options))
    assert (losses[(labels == -1).all(axis=1)] == 0).all()


@pytest.mark.slow
@settings(max_examples=25)
@given(
    logits=npst.arrays(np.float32, (6, 4), elements=st.floats(-60, 60, width=32)),
    other=npst.arrays(np.float32, (6, 4), elements=st.floats(-60, 60, width=32)),
    labels=npst.arrays(np.int16, (6, 2), elements=st.integers(-1, 1)),
    options=OPTIONS,
)
def test_unknown_cells_have_no_gradient_in_a_compiled_step(logits, other, labels, options):
    gradient = step(labels, logits, options)
    assert np.isfinite(gradient).all()
    np.testing.assert_array_equal(gradient, step(labels, with_other_unknowns(logits, other, labels), options))
    for column, targets_slice in enumerate(TARGETS.slices):
        assert (gradient[labels[:, column] == -1, targets_slice] == 0).all()


def with_other_unknowns(logits, other, labels):
    changed = logits.copy()
    for column, targets_slice in enumerate(TARGETS.slices):
        unknown = labels[:, column] == -1
        changed[unknown, targets_slice] = other[unknown, targets_slice]
    return changed


class Shift(keras.layers.Layer):
    """Adds a trainable number to every logit: what a step of learning rate 1 changes is the negative gradient."""

    def build(self, shape):
        self.shift = self.add_weight(shape=(6, 4), initializer="zeros")

    def call(self, x):
        return x + self.shift[: keras.ops.shape(x)[0]]


def step(labels, logits, options):
    """The gradient (6, 4) of a compiled training step."""
    key = tuple(options.values())
    if key not in MODELS:
        model = keras.Sequential([keras.Input((4,)), Shift()])
        objective = MaskedLoss(TARGETS, STATISTICS, PLAIN.model_copy(update=options))
        model.compile(keras.optimizers.SGD(1.0), objective, jit_compile=False)
        MODELS[key] = model
    model = MODELS[key]
    model.set_weights([np.zeros((6, 4), np.float32)])
    model.train_on_batch(logits, labels)
    return -model.get_weights()[0]


MODELS: dict[tuple[object, ...], keras.Model] = {}
