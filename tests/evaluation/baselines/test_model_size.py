import pytest

from lacuna.config.blocks import Head
from lacuna.core.targets import Target, Targets
from lacuna.evaluation.baselines.model_size import head_size, linear_size, stored_size
from lacuna.training.model import build_head, head_weights, save_weights

TARGETS = Targets((Target("kind", "categorical", ("bag", "shoe", "hat")), Target("red", "binary", ("no", "yes"))))


def test_a_layer_of_logits_has_weights_biases_and_the_scale_of_what_it_sees():
    assert linear_size(10, TARGETS) == 10 * 4 + 4 + 2 * 10


@pytest.mark.parametrize("hidden_units", [0, 6])
def test_counted_is_what_keras_builds_and_stores(hidden_units, tmp_path):
    head = build_head(10, TARGETS, Head(dropout=0.1, hidden_units=hidden_units))
    save_weights(head, tmp_path / "head.weights.h5")
    assert head_size(head_weights(head)) == head.count_params()
    assert stored_size(tmp_path / "head.weights.h5") == head.count_params()
