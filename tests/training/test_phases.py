"""Warm-up called with parameters and arrays, as a search does; fine-tuning: test_candidates.py."""

import os
import subprocess
import sys
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from lacuna.config.blocks import Warmup
from lacuna.core.scores import activate, log_loss
from lacuna.core.targets import Target, Targets
from lacuna.errors import LacunaError
from lacuna.training.data import head_logits, learned_indices
from lacuna.training.descent import RESAMPLERS
from lacuna.training.exact_head import solve_head
from lacuna.training.phases import fine_tune_key, warm_up, warm_up_key
from tests.training_arrays import KIND, RED, TARGETS, new_data

SGD = {
    "train.batch_size": 8,
    "warmup.solver": "sgd",
    "warmup.epochs": 3,
    "warmup.learning_rate": 0.02,
    "optimizer.schedule": "constant",
}


def silent(row):
    """What a search hands in, so that nothing is printed."""


def test_an_exact_warm_up_is_the_solution_on_the_clean_training_images(tiny_project, capsys):
    params = tiny_project({"warmup.l2": {}, "train.targets": []})
    data = new_data()
    warm = warm_up(params, data)
    training = data.manifest.part("train")
    expected = solve_head(
        data.store.features,
        training.row,
        training.labels,
        training.group,
        TARGETS,
        data.statistics,
        params.train,
        {},
        0,
    )
    for name, array in warm.head.arrays().items():
        np.testing.assert_array_equal(array, expected.head.arrays()[name])
    assert warm.path == expected.path
    assert [step.chosen for step in warm.path["kind"]].count(True) == 1
    assert (warm.history, warm.best_epoch) == ([], 0)
    assert warm.parameters == {"parameters_trained": 8 * 4 + 4, "parameters": 8 * 4 + 4}
    assert capsys.readouterr().out == ""
    losses = [loss_of(warm.head, data, index) for index in range(2)]
    assert np.mean(losses) < 0.75  # the priors': 0.83


def loss_of(head, data, index):
    """The log loss of a target on validation."""
    logits = head_logits(head, data, "val")
    labels = data.manifest.part("val").labels[:, index]
    return log_loss(labels, activate(data.targets[index], logits[:, data.targets.slices[index]]))


def test_a_given_penalty_is_taken_and_a_wrong_name_refused(tiny_project):
    params = tiny_project({})
    params = params.model_copy(update={"warmup": params.warmup.model_copy(update={"l2": {"red": 0.5}})})
    (step,) = warm_up(params, new_data()).path["red"]
    assert (step.l2, step.log_loss, step.chosen) == (0.5, None, True)
    with pytest.raises(LacunaError, match=r"warmup\.l2 names 'red', which is not learned; targets are kind"):
        warm_up(params, new_data(Targets((KIND,))))


def test_a_warm_up_by_descent_needs_no_files_says_nothing_and_repeats_itself(tiny_project, tmp_path, capsys):
    params = tiny_project(SGD | {"warmup.resample": "mlsmote"})
    before = sorted(tmp_path.iterdir())
    rows = []
    first = warm_up(params, new_data(), on_epoch=rows.append)
    second = warm_up(params, new_data(), on_epoch=silent)
    assert first.history == second.history
    assert first.history[1:] == rows
    assert first.history[-1]["val_log_loss"] < first.history[0]["val_log_loss"]
    for name, array in first.head.arrays().items():
        np.testing.assert_array_equal(array, second.head.arrays()[name])
    assert sorted(tmp_path.iterdir()) == before
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("units", "parameters"), [(0, 8 * 4 + 4), (5, 8 * 4 + 4 + 8 * 5 + 5 + 5 * 4)])
def test_the_head_by_descent_is_that_of_the_best_epoch(tiny_project, units, parameters):
    data = new_data()
    warm = warm_up(tiny_project(SGD | {"head.hidden_units": units}), data, on_epoch=silent)
    assert warm.head.n_hidden == units
    assert warm.parameters["parameters_trained"] == parameters
    assert warm.path == {}
    for index, name in enumerate(TARGETS.names):
        expected = warm.history[warm.best_epoch][f"val_log_loss_{name}"]
        assert loss_of(warm.head, data, index) == pytest.approx(expected, rel=1e-4)
    clean = data.store.features[data.manifest.part("train").row, 0].astype(np.float64)
    np.testing.assert_allclose(warm.head.mean, clean.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(warm.head.scale, clean.std(axis=0), rtol=1e-6)


def test_a_warm_up_by_descent_learns_from_every_view(tiny_project):
    data, params = new_data(), tiny_project(SGD | {"warmup.epochs": 1})
    whole = warm_up(params, data, on_epoch=silent)
    data.store.features[:, 1] += 100.0
    assert warm_up(params, data, on_epoch=silent).history[1]["loss"] != whole.history[1]["loss"]


def test_every_way_to_resample_can_be_named():
    assert set(get_args(Warmup.model_fields["resample"].annotation)) == {"none", *RESAMPLERS}


@pytest.mark.slow
def test_resampling_changes_what_is_learned(tiny_project):
    changes = SGD | {"warmup.epochs": 1}
    plain = warm_up(tiny_project(changes), new_data(), on_epoch=silent)
    resampled = warm_up(tiny_project(changes | {"warmup.resample": "mlsmote"}), new_data(), on_epoch=silent)
    assert plain.history[0]["val_log_loss"] == resampled.history[0]["val_log_loss"]
    assert plain.history[1] != resampled.history[1]


def test_mlsmote_without_a_binary_target_is_refused_by_its_key(tiny_project):
    params = tiny_project(SGD | {"warmup.resample": "mlsmote"})
    with pytest.raises(LacunaError, match=r"warmup\.resample: mlsmote needs a binary target"):
        warm_up(params, new_data(Targets((KIND,))))


def test_keys_of_checkpoints_tell_settings_heads_and_data_apart(tiny_project):
    params, data = tiny_project(SGD), new_data()
    head = warm_up(tiny_project({}), data).head
    hidden = replace(head, hidden=(np.ones((8, 2)), np.zeros(2), np.ones((2, 4))))
    other = replace(hidden, hidden=(np.ones((8, 2)), np.zeros(2), np.zeros((2, 4))))
    faster = tiny_project(SGD | {"finetune.learning_rate": 0.1})
    fine_tunings = [
        fine_tune_key(params, data, head),
        fine_tune_key(params, data, hidden),
        fine_tune_key(params, data, other),
        fine_tune_key(faster, data, head),
        fine_tune_key(params, new_data(Targets((KIND,))), head),
    ]
    longer = tiny_project(SGD | {"warmup.epochs": 9})
    assert len({warm_up_key(params, data), warm_up_key(longer, data), *fine_tunings}) == 7
    assert warm_up_key(faster, data) == warm_up_key(params, data)  # fine-tuning is none of its business


def printed_by(code, repository):
    """What Python code prints in another process."""
    places = f"{repository}{os.pathsep}{repository / 'tests'}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": places},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


KEY = """
from pathlib import Path
from lacuna.config.load import load_params
from lacuna.core.head_weights import HeadWeights
from lacuna.training.phases import fine_tune_key
from training_arrays import new_data
print(fine_tune_key(load_params(Path("params.yaml")), new_data(), HeadWeights.load(Path("head.npz"))))
"""


def test_another_process_finds_the_checkpoint_of_a_killed_one(tiny_project, tmp_path, repository):
    params, data = tiny_project({}), new_data()
    head = warm_up(params, data).head
    head.save(tmp_path / "head.npz")
    assert printed_by(KEY, repository) == fine_tune_key(params, data, head)


def test_an_exact_head_is_solved_and_kept_without_keras(tiny_project, repository):
    tiny_project({"finetune.epochs": 0})
    code = """
import sys
from pathlib import Path
from lacuna.config.load import load_params
from lacuna.training.candidates import candidates_of
from lacuna.training.phases import warm_up
from lacuna.training.data import head_logits
from training_arrays import new_data
params, data = load_params(Path("params.yaml")), new_data()
head = warm_up(params, data).head
candidates, tuned = candidates_of(params, data, head)
assert tuned is None and list(candidates) == ["head"]
for part in ("val", "test"):
    assert (candidates["head"].logits[part] == head_logits(head, data, part)).all()
print(sorted({"keras", "tensorflow"} & set(sys.modules)))
"""
    assert printed_by(code, repository) == "[]"


def test_learned_targets_stand_in_the_order_of_all(tiny_project):
    train = tiny_project({}).train
    three = Targets((KIND, RED, Target("old", "binary", ("absent", "present"))))

    def indices(**changes):
        return learned_indices(three, train.model_copy(update=changes))

    assert indices() == [0, 1, 2]
    assert indices(targets=("old", "kind")) == [0, 2]
    assert three.take(indices(targets=("old", "kind"))).names == ("kind", "old")
    assert indices(targets=("old",), target_weights={"red": 2.0}) == [2]
    with pytest.raises(LacunaError, match=r"train.targets names 'blue', .* its targets are kind, red, old"):
        indices(targets=("blue",))
    with pytest.raises(LacunaError, match=r"train.target_weights names 'blue'"):
        indices(target_weights={"blue": 2.0})
