import base64
import io
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from mlflow import MlflowClient
from PIL import Image

from lacuna.io.atomic import sha256
from stages.track import ARTIFACTS, METRICS, track
from tests.shards import save_rows
from tests.tiny_bundle import write_tiny_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_tiny_bundle(tmp_path_factory.mktemp("track") / "bundle")


@pytest.fixture
def finished(tiny_project, tmp_path, monkeypatch, repository, bundle, migrated):
    """The params and outs of a finished pipeline, made up, in `tmp_path`. Its only training image is red."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    metrics = {
        "macro": {"f1": 0.5},
        "targets": {"person": {"kind": "binary", "f1": 0.25, "baseline_f1": 0.1, "roc_auc": 0.75, "n_known": 9}},
    }
    metrics["targets"]["person"]["verdict"] = "learned"
    shutil.copy(migrated, "mlflow.db")
    shutil.copytree(bundle, "models/bundle")
    for path in [*ARTIFACTS, *(Path(f"metrics/{name}.json") for name in METRICS)]:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".json" and not path.exists():
            path.write_text(json.dumps(metrics))
        elif path.suffix and not path.exists():
            path.write_text("picture")
        elif not path.exists():
            path.mkdir()
    verdicts = {"verdicts": {"targets": {"person": "does not beat linear probe"}}}
    Path("metrics/baseline.json").write_text(json.dumps(metrics | verdicts))
    Path("metrics/audit.json").write_text(json.dumps({"targets": {"person": {"auc": 0.75, "verdict": "weak"}}}))
    for phase in ("warmup", "finetune"):
        Path(f"plots/history_{phase}.csv").write_text(
            "phase,epoch,kept,loss,log_loss,val_log_loss,val_average_precision_person\n"
            f"{phase},0,0,,,0.7,\n{phase},1,0,0.5,0.5,0.6,\n{phase},2,1,0.25,0.25,0.4,0.75\n"
        )
    for folder in ("runs", "data/images", "data/prepared"):
        Path(folder).mkdir(parents=True)
    images = np.zeros((2, 32, 32, 3), np.uint8)
    images[1, :, :, 0] = 255
    save_rows("data/images/pixels", images)
    Path("data/prepared/manifest.csv").write_text("image,row,split,group\nblack.png,0,test,0\nred.png,1,train,1\n")
    shutil.copy(repository / "requirements-serve.txt", "requirements-serve.txt")
    record = {"stage": "train_warmup", "seconds": 3.5, "parameters_trained": 1285}
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
    assert run.data.metrics["audit/targets.person.auc"] == 0.75
    assert run.data.metrics["explore/macro.f1"] == 0.5
    assert "audit/targets.person.verdict" not in run.data.metrics
    assert "plots/report.html" in [file.path for file in client.list_artifacts(run.info.run_id, "plots")]
    assert {"cpu", "cpu_count", "memory_gb", "version.keras", "dvc_lock"} <= set(run.data.tags)
    children = client.search_runs(
        [run.info.experiment_id], f"tags.mlflow.parentRunId = '{run.info.run_id}' AND attributes.status = 'FINISHED'"
    )
    phases = {child.info.run_name: child for child in children}
    assert set(phases) == {"warm-up", "fine-tune"}
    assert phases["warm-up"].data.metrics["parameters_trained"] == 1285
    assert phases["warm-up"].data.metrics["val_average_precision_person"] == 0.75
    assert phases["warm-up"].data.tags["mlflow.note.content"].startswith("underfitting: ")
    assert phases["fine-tune"].data.metrics["loss"] == 0.25
    assert facts["mlflow_run"] in capsys.readouterr().out
    note = run.data.tags["mlflow.note.content"]
    assert "| person | learned | 25 | 10 | 0.75 | does not beat linear probe |" in note.splitlines()
    experiment = client.get_experiment(run.info.experiment_id)
    assert "plots/report.html" in experiment.tags["mlflow.note.content"]


def test_a_head_that_was_solved_without_epochs_is_a_phase_with_its_facts(finished, client):
    history, record = Path("plots/history_warmup.csv"), Path("runs/train_warmup.json")
    history.write_text(history.read_text().splitlines()[0] + "\n")
    record.write_text(json.dumps(json.loads(record.read_text()) | {"history_sha256": sha256(history)}))
    parent = client.get_run(track(finished)["mlflow_run"]).info
    (child,) = client.search_runs([parent.experiment_id], "attributes.run_name = 'warm-up'")
    assert child.data.metrics["parameters_trained"] == 1285
    assert "loss" not in child.data.metrics


def test_a_record_of_another_execution_is_not_taken_for_this_one(finished, client):
    with Path("plots/history_warmup.csv").open("a") as file:
        file.write("warmup,3,0,0.1,0.1,0.4,0.9\n")  # as when DVC restores a phase from its cache
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


LOAD = """
    import io, json, sys
    import mlflow, pandas as pd
    from PIL import Image

    def picture(colour, kind):
        content = io.BytesIO()
        Image.new("RGB", (40, 30), colour).save(content, kind)
        return content.getvalue()

    model = mlflow.pyfunc.load_model("models:/lacuna/1")
    images = [picture("red", "PNG"), b"no image", picture("lime", "JPEG")]
    said = model.predict(pd.DataFrame({"image": images}, index=["a", "b", "c"]))
    example = model.predict(model.input_example)
    import lacuna
    print(json.dumps({
        "columns": list(said.columns), "index": list(said.index), "rows": said.to_dict("records"),
        "example": example.to_dict("records"), "lacuna": lacuna.__file__,
        "signature": [model.metadata.signature.inputs.to_dict(), model.metadata.signature.outputs.input_names()],
        "loaded": sorted({"tensorflow", "keras", "dvc"} & set(sys.modules)),
    }))
"""


@pytest.mark.slow
def test_the_registered_model_loads_and_predicts_in_a_clean_process(finished, tmp_path):
    track(finished)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DVC"))}
    environment["MLFLOW_TRACKING_URI"] = f"sqlite:///{tmp_path}/mlflow.db"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", dedent(LOAD)],
        cwd=elsewhere,
        env=environment,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])

    columns = "error unfamiliar colour colour.p.green colour.p.blue red red.p.absent red.p.present"
    assert said["columns"] == columns.split()
    assert said["index"] == ["a", "b", "c"]
    red, broken, green = said["rows"]
    assert red["red"] == "present"
    assert red["red.p.present"] == pytest.approx(1 / (1 + math.exp(-(2 * 1 - 1))), abs=1e-5)
    assert red["colour.p.green"] == pytest.approx(0.5, abs=1e-5)
    assert (green["red"], green["colour"]) == ("absent", "green")
    assert "image" in broken["error"]
    assert broken["red"] is None or math.isnan(broken["red"])
    # The example is the training image, which is red all over, as its PNG file.
    assert [row["red"] for row in said["example"]] == ["present"]
    assert said["signature"] == [[{"type": "binary", "name": "image", "required": True}], said["columns"]]
    assert Path(said["lacuna"]).is_relative_to(tmp_path / "mlruns")
    assert said["loaded"] == []


def test_a_model_version_is_registered_once_for_each_bundle(finished, client, monkeypatch):
    first = client.get_run(track(finished)["mlflow_run"])
    assert first.data.tags["lacuna.model"] == "models:/lacuna/1"
    track(finished)
    monkeypatch.setenv("DVC_EXP_NAME", "aside")  # another run with the same bundle
    assert client.get_run(track(finished)["mlflow_run"]).data.tags["lacuna.model"] == "models:/lacuna/1"
    (only,) = client.search_model_versions("name = 'lacuna'")
    assert only.run_id == first.info.run_id

    description = Path("models/bundle/bundle.json")
    description.write_text(description.read_text().replace('"threshold": 0.6', '"threshold": 0.7'))
    assert client.get_run(track(finished)["mlflow_run"]).data.tags["lacuna.model"] == "models:/lacuna/2"


def test_the_model_needs_what_serving_needs_and_mlflow_each_pinned(finished, client, tmp_path):
    track(finished)
    (place,) = tmp_path.glob("mlruns/models/*/artifacts")
    lines = (place / "requirements.txt").read_text().splitlines()
    assert all("==" in line and "--hash" not in line for line in lines)
    names = {line.split("==")[0] for line in lines}
    assert {"openvino", "numpy", "pillow", "pydantic", "scipy", "mlflow", "pandas"} <= names
    assert not {"tensorflow", "keras", "dvc"} & names
    assert not list(place.rglob("__pycache__"))
    assert (place / "data/bundle/bundle.json").read_bytes() == Path("models/bundle/bundle.json").read_bytes()
    example = json.loads((place / "serving_input_example.json").read_text())
    (content,) = example["dataframe_split"]["data"][0]
    assert Image.open(io.BytesIO(base64.b64decode(content))).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no such limit")
def test_a_full_disk_is_one_line_and_no_run_looks_at_work_afterwards(finished, client, run_stage, one_line):
    blocks = Path("mlflow.db").stat().st_size // 512 + 8  # the database cannot grow: as on a disk that is full
    metrics = {f"metric {number}": 0.5 for number in range(2000)}
    Path("metrics/explore.json").write_text(json.dumps(metrics))
    line = one_line(run_stage("track", "sh", "-c", f'ulimit -f {blocks}; "$@"', "sh"))
    assert "mlflow.db" in line
    assert "SQL" not in line
    run = client.get_run(track(finished)["mlflow_run"])
    found = client.search_runs([run.info.experiment_id])
    assert "RUNNING" not in {other.info.status for other in found}
    assert run.info.status == "FINISHED"
