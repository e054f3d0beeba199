"""A whole search as a user runs it, in a finished project: the winner becomes an experiment and an MLflow run."""

import csv
import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient

from lacuna.config.load import load_params
from tests.dvc_project import commit, run
from tests.tiny_project import change_params

pytestmark = pytest.mark.slow

SEARCH = {
    "warmup.solver": "sgd",
    "finetune.epochs": 1,
    "tune.trials": 2,
    "tune.seeds": 2,
    "tune.metric": "log_loss",
    "tune.space": {"warmup.learning_rate": {"low": 2e-3, "high": 2e-2, "log": True}},
}


def test_the_best_of_a_whole_search_becomes_an_experiment_and_an_mlflow_run(
    finished: Path, python: Path, tmp_path: Path
) -> None:
    root = tmp_path / "project"
    shutil.copytree(finished, root)
    change_params(root, SEARCH)
    commit(root)

    out = run(root, "python", "-m", "lacuna", "tune", python=python)
    assert "2 settings of 2 seeds" in out
    (folder,) = (root / "runs/tune").iterdir()
    assert {"study.db", "trials.csv", "summary.txt", "history.png", "space.png"} <= {p.name for p in folder.iterdir()}

    experiments = run(root, "dvc", "exp", "list", "--name-only").split()
    assert len(experiments) == 1, out
    assert experiments[0].startswith(folder.name)
    with (folder / "trials.csv").open(newline="") as file:
        best = min((line for line in csv.DictReader(file) if line["mean"]), key=lambda line: float(line["mean"]))
    assert load_params(root / "params.yaml").warmup.learning_rate == float(best["warmup.learning_rate"])
    assert (root / "metrics/validation.json").exists()

    client = MlflowClient(f"sqlite:///{root / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("lacuna").experiment_id])
    (parent,) = (found for found in runs if found.info.run_name == folder.name)
    assert parent.data.metrics["log_loss/best"] == pytest.approx(float(best["mean"]), abs=1e-5)
    children = [found for found in runs if found.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert {found.info.run_name for found in children} == {"setting 1", "setting 2"}
    assert any(found.info.run_name == experiments[0] for found in runs)

    # With its first seed the winner is the very training that the experiment repeats.
    losses = []
    for phase in ("warmup", "finetune"):
        with (root / f"plots/history_{phase}.csv").open(newline="") as file:
            losses += [float(line["val_log_loss"]) for line in csv.DictReader(file)]
    assert float(best["seed_0"]) == pytest.approx(min(losses), abs=2e-3)

    trained = (folder / "trials.csv").read_bytes()
    run(root, "git", "checkout", "params.yaml")
    again = run(root, "python", "-m", "lacuna", "tune", python=python)
    assert "setting 1 of" not in again
    assert (folder / "trials.csv").read_bytes() == trained
    assert load_params(root / "params.yaml").warmup.learning_rate == float(best["warmup.learning_rate"])
