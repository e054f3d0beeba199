import pytest

from lacuna.config.blocks import Head
from lacuna.core.targets import Target, Targets
from lacuna.evaluation.baselines.model_size import head_size, linear_size
from lacuna.training.model import build_head

TARGETS = Targets((Target("kind", "categorical", ("bag", "shoe", "hat")), Target("red", "binary", ("no", "yes"))))


def test_a_layer_of_logits_has_weights_and_biases():
    assert linear_size(10, TARGETS) == 44


@pytest.mark.parametrize("hidden_units", [0, 6])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_counted_is_what_keras_builds(hidden_units, batch_norm):
    options = Head(dropout=0.1, hidden_units=hidden_units, batch_norm=batch_norm)
    assert head_size(10, TARGETS, options) == build_head(10, TARGETS, options).count_params()
