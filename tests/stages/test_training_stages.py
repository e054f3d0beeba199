"""featurize, train_warmup and train_finetune on a few small images; with other settings: test_training_settings.py."""

import os
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from lacuna.core.feature_store import FeatureStore
from lacuna.core.head_weights import HeadWeights
from lacuna.core.manifest import Manifest
from lacuna.core.predictions import Predictions
from lacuna.io.atomic import read_json, sha256
from lacuna.io.csv_files import read_csv
from lacuna.io.sharded_array import checksum
from stages.train_finetune import train_finetune
from stages.train_warmup import train_warmup
from tests.tiny_project import write_params
from tests.training_project import N_TRAIN, SMALL, TARGETS, TEST, WEAK, N, assert_network_predicts, run_in, write_data


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a project after the three stages, fine-tuning kept, made once: to copy, not to change."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_data(folder)
        run_in(folder, WEAK)
    return folder


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project before the three stages; a function that runs them in it with changed parameters."""
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)
    return partial(run_in, tmp_path)


@pytest.fixture
def copied(finished, tmp_path, monkeypatch):
    """A copy of the finished project; a function that runs stages in it again with changed parameters."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return partial(run_in, tmp_path)


def outs_of(folder):
    """What the training stages wrote, by path."""
    files = [path for out in ("models", "plots", "metrics", "data/predictions") for path in (folder / out).rglob("*")]
    return {path.relative_to(folder).as_posix(): sha256(path) for path in files if path.is_file()}


def test_what_the_stages_write(finished):
    assert set(outs_of(finished)) == {
        "models/head.npz",
        *(f"models/trained/{name}" for name in ("head.npz", "model.json", "tail.weights.h5")),
        *(f"data/predictions/{name}" for name in ("targets.json", "population.npz", "val.npz", "test.npz")),
        *(f"plots/{name}.csv" for name in ("history_warmup", "history_finetune", "regularization_path")),
        "metrics/training.json",
    }
    assert [row["epoch"] for row in read_csv(finished / "plots/history_warmup.csv")] == ["0", "1"]
    assert read_csv(finished / "plots/regularization_path.csv") == []
    rows = read_csv(finished / "plots/history_finetune.csv")
    assert [(row["epoch"], bool(row["log_loss"])) for row in rows] == [
        ("0", False),
        *((str(i), True) for i in range(1, 5)),
    ]
    assert [row["kept"] for row in rows].count("1") == 1
    training = read_json(finished / "metrics/training.json")
    assert training["kept"] == "fine-tuned"
    assert training["log_loss"]["fine-tuned"] < training["log_loss"]["head"]
    assert training["gain"]["fine-tuned"]["macro"]["low"] > 0
    assert not list((finished / "runs/checkpoints").glob("*/state.npz"))


@pytest.mark.slow
def test_again_gives_the_same_bytes_and_counts_what_is_trained(project, finished, tmp_path):
    _, warmup, finetune = project(WEAK)
    assert outs_of(tmp_path) == outs_of(finished)
    here, there = tmp_path / "data/features", finished / "data/features"
    for name in ("features", "boundary"):
        assert checksum(here / name) == checksum(there / name)
    assert (here / "features.json").read_bytes() == (there / "features.json").read_bytes()
    assert warmup["parameters_trained"] == (2 * 112 + 1280) * 4 + 4
    assert warmup["epochs"] == 1
    assert finetune["parameters_trained"] == 320 * 1280 + 1280 * 4
    assert finetune["parameters_trained"] < finetune["parameters"]
    assert finetune["epochs"] == 4
    for facts, phase in ((warmup, "warmup"), (finetune, "finetune")):
        assert facts["history_sha256"] == sha256(tmp_path / f"plots/history_{phase}.csv")  # how track knows its record


def test_predictions_are_aligned_with_names_groups_and_the_saved_network(finished):
    test = Predictions.load(finished / "data/predictions/test.npz")
    assert test.image.tolist() == [f"{i}.png" for i in range(TEST.start, N)]
    assert test.group.tolist() == list(range(TEST.start, N))
    every = Manifest.load(finished / "data/prepared/manifest.csv", TARGETS).part("test").labels
    np.testing.assert_array_equal(test.labels, every)
    assert_network_predicts(finished, WEAK)


@pytest.mark.slow
def test_where_fine_tuning_is_not_shown_to_be_better_the_head_is_kept(copied, tmp_path, capsys):
    timid = {"warmup.l2": {"kind": 300.0, "red": 300.0}, "finetune.learning_rate": 1e-4}
    _, finetune = copied(timid, [train_warmup, train_finetune])
    assert finetune["best_epoch"] > 0  # surer of itself it is, which calibration would have given the head too
    training = read_json(tmp_path / "metrics/training.json")
    assert training["kept"] == "head"
    assert set(training["log_loss"]) == {"head", "mean", "fine-tuned"}
    assert training["gain"]["fine-tuned"]["macro"]["low"] < 0
    assert "kept: head; less log loss on validation than the head: mean " in capsys.readouterr().out
    assert (tmp_path / "models/trained/head.npz").read_bytes() == (tmp_path / "models/head.npz").read_bytes()
    assert not (tmp_path / "models/trained/tail.weights.h5").exists()
    assert_network_predicts(tmp_path, {})


def test_without_fine_tuning_the_model_is_the_head(copied, tmp_path, capsys):
    _, finetune = copied({"finetune.epochs": 0}, [train_warmup, train_finetune])
    said = capsys.readouterr().out
    assert "kind: penalty " in said
    assert "cross-validated log loss " in said
    assert "kept: head\n" in said
    assert (finetune["epochs"], finetune["best_epoch"]) == (0, 0)
    assert "parameters_trained" not in finetune
    assert read_csv(tmp_path / "plots/history_finetune.csv") == []
    assert sorted(path.name for path in (tmp_path / "models/trained").iterdir()) == ["head.npz", "model.json"]
    head, features = HeadWeights.load(tmp_path / "models/head.npz"), FeatureStore.open(tmp_path / "data/features")
    val = Predictions.load(tmp_path / "data/predictions/val.npz")
    np.testing.assert_array_equal(val.logits, head.logits(features.features[N_TRAIN : TEST.start, 0]))
    assert_network_predicts(tmp_path, {})
    assert read_csv(tmp_path / "plots/history_warmup.csv") == []  # solved, not trained
    path = read_csv(tmp_path / "plots/regularization_path.csv")
    assert [row["target"] for row in path if row["chosen"] == "1"] == list(TARGETS.names)
    assert all(float(row["cv_log_loss"]) > 0 for row in path)
    before = outs_of(tmp_path)
    copied({"finetune.epochs": 0}, [train_warmup, train_finetune])
    assert outs_of(tmp_path) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "changes"),
    [
        ("train_warmup", {"warmup.solver": "sgd", "warmup.epochs": 60, "head.hidden_units": 8}),
        ("train_finetune", WEAK | {"finetune.epochs": 15, "finetune.patience": 15}),
    ],
)
def test_killed_and_started_again_it_ends_with_the_same_bytes(copied, tmp_path, run_stage, repository, stage, changes):
    write_params(tmp_path, SMALL | changes)
    assert run_stage(stage).returncode == 0
    expected = outs_of(tmp_path)

    environment = {**os.environ, "PYTHONPATH": str(repository)}
    command = [sys.executable, "-m", f"stages.{stage}"]
    killed = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
    while not list((tmp_path / "runs/checkpoints").glob("*/state.npz")):
        assert killed.poll() is None
        time.sleep(0.002)
    killed.kill()
    killed.wait()
    assert list((tmp_path / "runs/checkpoints").glob("*/state.npz"))
    for out in ("models", "plots"):
        for path in (tmp_path / out).rglob("*"):
            if path.is_file() and path != tmp_path / "models/head.npz":
                path.unlink()  # as DVC does before it starts a stage
    again = run_stage(stage)
    assert again.returncode == 0, again.stderr
    assert "epoch 1/" not in again.stdout
    assert {path: digest for path, digest in expected.items() if path in outs_of(tmp_path)} == outs_of(tmp_path)
    assert f"plots/history_{stage.removeprefix('train_')}.csv" in outs_of(tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("copied")
def test_a_full_disk_ends_in_one_line_and_leaves_no_model(tmp_path, run_stage, one_line):
    shutil.rmtree(tmp_path / "models/trained")
    line = one_line(run_stage("train_finetune", "sh", "-c", 'ulimit -f 1000; "$@"', "sh"))
    assert "the file grew past a limit" in line
    assert not (tmp_path / "models/trained").exists()
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (Path.unlink, "models/head.npz: no such file"),
        (lambda path: path.write_bytes(b""), "models/head.npz: not a whole file of arrays"),
    ],
    ids=["missing", "empty"],
)
@pytest.mark.usefixtures("copied")
@pytest.mark.slow
def test_a_head_that_cannot_be_read_ends_in_one_line(run_stage, one_line, spoil, message):
    spoil(Path("models/head.npz"))
    assert message in one_line(run_stage("train_finetune"))
