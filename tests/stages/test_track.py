import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

from lacuna.files import sha256
from stages.track import ARTIFACTS, track


@pytest.fixture
def finished(tiny_project, tmp_path, monkeypatch):
    """The params and outs of a finished pipeline, made up, in `tmp_path`."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    figures = {"macro": {"f1": 0.5}, "targets": {"person": {"kind": "binary", "f1": 0.25, "n_known": 9}}}
    for path in ARTIFACTS:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".json":
            path.write_text(json.dumps(figures))
        elif path.suffix:
            path.write_text("picture")
        else:
            path.mkdir()
    for phase in ("warmup", "finetune"):
        Path(f"plots/history_{phase}.csv").write_text(
            f"epoch,phase,loss,val_average_precision_person\n1,{phase},0.5,\n2,{phase},0.25,0.75\n"
        )
    Path("runs").mkdir()
    record = {"stage": "train_warmup", "seconds": 3.5, "parameters_trained": 1285, "notes": ["a note", "another"]}
    record["history_sha256"] = sha256(Path("plots/history_warmup.csv"))
    Path("runs/train_warmup.json").write_text(json.dumps(record))
    Path("dvc.lock").write_text("schema: '2.0'\n")
    return tiny_project({"train.gamma": 1.5})


@pytest.fixture
def client(tmp_path):
    return MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")


def test_the_mirror_shows_the_run_and_both_phases(finished, client, capsys):
    facts = track(finished)

    run = client.get_run(facts["mlflow_run"])
    assert run.info.run_name == "workspace"
    assert run.data.params["train.gamma"] == "1.5"
    assert run.data.params["data.targets.person"] == "binary"
    assert run.data.metrics["validation/targets.person.f1"] == 0.25
    assert run.data.metrics["test/macro.f1"] == 0.5
    assert run.data.metrics["seconds/train_warmup"] == 3.5
    assert {"cpu", "cpu_count", "memory_gb", "version.keras", "dvc_lock"} <= set(run.data.tags)
    children = client.search_runs(
        [run.info.experiment_id], f"tags.mlflow.parentRunId = '{run.info.run_id}' AND attributes.status = 'FINISHED'"
    )
    phases = {child.info.run_name: child for child in children}
    assert set(phases) == {"warm-up", "fine-tune"}
    assert phases["warm-up"].data.metrics["parameters_trained"] == 1285
    assert phases["warm-up"].data.metrics["val_average_precision_person"] == 0.75
    assert phases["warm-up"].data.tags["mlflow.note.content"] == "a note\nanother"
    assert phases["fine-tune"].data.metrics["loss"] == 0.25
    assert facts["mlflow_run"] in capsys.readouterr().out


def test_a_record_of_another_execution_is_not_taken_for_this_one(finished, client):
    with Path("plots/history_warmup.csv").open("a") as file:
        file.write("3,warmup,0.1,0.9\n")  # as when DVC restores a phase from its cache
    parent = client.get_run(track(finished)["mlflow_run"]).info
    (child,) = client.search_runs([parent.experiment_id], "attributes.run_name = 'warm-up'")
    assert child.data.metrics["loss"] == 0.1
    assert "parameters_trained" not in child.data.metrics
    assert "mlflow.note.content" not in child.data.tags


def test_an_experiment_carries_its_dvc_name_and_a_repetition_adds_nothing(finished, client, monkeypatch, capsys):
    monkeypatch.setenv("DVC_EXP_NAME", "gamma-1.5")
    first = track(finished)
    assert client.get_run(first["mlflow_run"]).info.run_name == "gamma-1.5"
    assert track(finished) == first
    assert "has this run already" in capsys.readouterr().out
