"""Training over several devices, which this machine pretends to have, against the same training on one."""

import json
import os
import pickle
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lacuna.core.feature_store import FeatureInfo, FeatureStore
from lacuna.core.head_weights import HeadWeights
from lacuna.features.backend import keras
from lacuna.features.stages import build_extractor, build_tail
from tests.tiny_project import write_params
from tests.training_arrays import new_data

REPOSITORY = Path(__file__).parents[2]
DEVICES = 8
CHANGES = {
    "data.targets": {"kind": "categorical", "red": "binary"},
    "data.image_size": 16,
    "backbone.name": "small_cnn",
    "backbone.weights": "none",
    "features.stages": "all",
    "finetune.unfreeze": "b2",
    "finetune.epochs": 4,
    "finetune.learning_rate": 0.01,
    "finetune.patience": 5,
    "head.dropout": 0.25,
    "train.batch_size": 9,
    "optimizer.ramp": 0.9,
    "warmup.solver": "sgd",
    "train.hardest": 0.8,
}
"""40 images are four batches of 9 and one of 4: none that eight devices divide."""


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Random maps that tell the labels, and a head that knows nothing, in a file."""
    folder = tmp_path_factory.mktemp("given")
    params = write_params(folder, CHANGES)
    tail = build_tail(params.backbone, params.features, 16, params.finetune.unfreeze)
    layout = build_extractor(params.backbone, params.features, 16).layout
    data, random = new_data(), np.random.default_rng(1)
    labels, columns = data.manifest.labels, layout.n_columns
    maps = random.normal(size=(len(labels), 2, *tail.means.input_shape[1:]))
    maps[..., 0] += 3 * labels[:, :1, None, None]
    maps[..., 1] += 3 * labels[:, 1:, None, None]
    features = random.normal(size=(len(labels), 2, columns)).astype(np.float32)
    store = FeatureStore(FeatureInfo(layout, tail.boundary, 2, "", "ab12"), features, maps.astype(np.float16))
    data = replace(data, store=store, images=np.zeros((len(labels), 16, 16, 3), np.uint8))
    logits = random.normal(size=(columns, data.targets.n_logits)) / 100
    head = HeadWeights(np.zeros(columns), np.ones(columns), logits, np.zeros(data.targets.n_logits))
    keras.utils.clear_session()
    file = folder / "given.pickle"
    file.write_bytes(pickle.dumps((params, data, head)))
    return file


def start(given, found, kill_after=0, devices=1, **environment):
    """Fine-tune with JAX and so many devices, in a process of its own."""
    found.mkdir()
    settings = {"KERAS_BACKEND": "jax", "PYTHONPATH": str(REPOSITORY), "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen(
        [sys.executable, REPOSITORY / "tests/devices_of_jax.py", given, found, str(kill_after)],
        env={**os.environ, **settings, "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}", **environment},
    )


def finish(process, found):
    """The history, the arrays, and what each device was given."""
    assert process.wait(timeout=300) == 0
    history, laid_out = (json.loads((found / f"{name}.json").read_text()) for name in ("history", "laid_out"))
    with np.load(found / "arrays.npz") as arrays:
        return history, dict(arrays), laid_out


@pytest.fixture(scope="module")
def on_one_device(given, tmp_path_factory):
    found = tmp_path_factory.mktemp("one") / "found"
    return finish(start(given, found), found)


def assert_same_training(found, expected):
    (history, arrays, _), (expected_history, expected_arrays, _) = found, expected
    assert [row["epoch"] for row in history] == [0, 1, 2, 3, 4]
    for row, of_one in zip(history, expected_history, strict=True):
        assert row == pytest.approx(of_one, abs=1e-5)
    for name, array in expected_arrays.items():
        np.testing.assert_allclose(arrays[name], array, atol=1e-5)


@pytest.mark.slow
def test_eight_devices_train_as_one_does_also_after_a_kill(given, on_one_device, tmp_path):
    history, _, laid_out = on_one_device
    assert laid_out == []
    assert history[-1]["log_loss"] < history[1]["log_loss"] - 0.05  # it learned something
    found = finish(start(given, tmp_path / "eight", kill_after=1, devices=DEVICES), tmp_path / "eight")
    assert_same_training(found, on_one_device)
    assert {tuple(rows) for rows in found[2]} == {(2,) * DEVICES, (1,) * DEVICES}  # of 9 images, and of 4


@pytest.mark.slow
def test_two_processes_of_two_devices_train_as_one_does_each_by_half_of_a_batch(given, on_one_device, tmp_path):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    joined = {"KERAS_DISTRIBUTION_JOB_ADDRESSES": address, "KERAS_DISTRIBUTION_NUM_PROCESSES": "2"}
    folders = [tmp_path / "0", tmp_path / "1"]
    processes = [
        start(given, folder, devices=2, KERAS_DISTRIBUTION_PROCESS_ID=folder.name, **joined) for folder in folders
    ]
    first, second = (finish(*each) for each in zip(processes, folders, strict=True))
    assert_same_training(first, on_one_device)
    assert first[0] == second[0]
    for name, array in first[1].items():
        np.testing.assert_array_equal(array, second[1][name])
    assert {tuple(rows) for rows in first[2] + second[2]} == {(3, 3), (1, 1)}  # of 9 images 12 were made, of 4 none
