import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run as StoredRun

from lacuna.errors import LacunaError
from lacuna.tracking.content import Run, numbers
from lacuna.tracking.run import log_run


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def root(tmp_path: Path, migrated: Path) -> Path:
    (tmp_path / "mlflow.db").write_bytes(migrated.read_bytes())
    return tmp_path


def client(root: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{root}/mlflow.db")


def stored(root: Path) -> list[StoredRun]:
    """The runs of experiment "lacuna", by name."""
    experiment = client(root).get_experiment_by_name("lacuna")
    found = client(root).search_runs([experiment.experiment_id])
    return sorted(found, key=lambda run: run.info.run_name)


def test_a_run_is_mirrored_with_its_children_epochs_and_files(root: Path) -> None:
    Path("plots/confusion").mkdir(parents=True)
    Path("plots/confusion/kind.png").write_text("picture")
    Path("plots/curve.csv").write_text("epoch\n1\n")
    history = [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25, "val_loss": 0.75}]
    phase = Run("warm-up", history=history, facts={"seconds": 3.0}, tags={"mlflow.note.content": "still falling"})
    run = Run(
        "workspace",
        params={"train.loss": "focal", "data.targets": "{}"},
        metrics={"validation/macro.f1": 0.5},
        artifacts=[Path("plots/confusion"), Path("plots/curve.csv")],
        children=[phase],
    )
    run_id, is_new = log_run(run, root=root, experiment="lacuna")

    child, parent = stored(root)
    assert is_new
    assert parent.info.run_id == run_id
    assert {parent.info.status, child.info.status} == {"FINISHED"}
    assert parent.data.params == {"train.loss": "focal", "data.targets": "{}"}
    assert parent.data.metrics == {"validation/macro.f1": 0.5}
    assert child.data.tags["mlflow.parentRunId"] == run_id
    assert child.data.tags["mlflow.note.content"] == "still falling"
    assert child.data.metrics == {"loss": 0.25, "val_loss": 0.75, "seconds": 3.0}
    epochs = client(root).get_metric_history(child.info.run_id, "loss")
    assert [(point.step, point.value) for point in epochs] == [(1, 0.5), (2, 0.25)]
    artifacts = root / "mlruns" / run_id / "artifacts"
    assert (artifacts / "plots/confusion/kind.png").read_text() == "picture"
    assert (artifacts / "plots/curve.csv").exists()


def test_the_same_content_is_logged_once_per_name(root: Path) -> None:
    Path("picture.png").write_text("one")

    def log(name: str = "workspace", f1: float = 0.5, seconds: float = 1.0) -> tuple[str, bool]:
        run = Run(name, metrics={"f1": f1}, artifacts=[Path("picture.png")], facts={"seconds": seconds})
        return log_run(run, root=root, experiment="lacuna")

    first, _ = log()
    assert log(seconds=2.0) == (first, False)
    assert log(f1=0.25)[1]
    assert log(name="gamma-1")[1]
    Path("picture.png").write_text("two")
    assert log()[1]
    assert len(stored(root)) == 4


def test_a_run_that_cannot_be_logged_does_not_look_finished_and_is_logged_anew(root: Path) -> None:
    run = Run("workspace", artifacts=[Path("picture.png")], children=[Run("warm-up")])
    Path("picture.png").write_text("a picture")
    (root / "mlruns").write_text("not a folder")
    with pytest.raises(OSError, match="mlruns"):
        log_run(run, root=root, experiment="lacuna")
    assert [run.info.status for run in stored(root)] == ["FAILED"]

    (root / "mlruns").unlink()
    assert log_run(run, root=root, experiment="lacuna")[1]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no such limit")
def test_a_disk_that_fills_up_is_one_line_and_the_run_ends_as_failed(root: Path, repository: Path) -> None:
    """In a process of its own, whose files cannot grow beyond the database as it is: as on a disk that is full."""
    code = """
import resource, signal, sys
from pathlib import Path
from lacuna.errors import LacunaError
from lacuna.tracking.content import Run
from lacuna.tracking.run import log_run
metrics = {f"metric {number}": 0.5 for number in range(900)}
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
size = Path("mlflow.db").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20_000, size + 20_000))
run = Run("workspace", metrics=metrics, history=[{"epoch": epoch, **metrics} for epoch in range(3)])
try:
    log_run(run, root=Path(), experiment="lacuna")
except (LacunaError, OSError) as error:
    print(error)
"""
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    *_, line = done.stdout.splitlines()
    assert line.startswith(f"MLflow at {root}/mlflow.db: ")
    assert "SQL" not in line
    log_run(Run("another"), root=root, experiment="lacuna")
    assert [(run.info.run_name, run.info.status) for run in stored(root)] == [
        ("another", "FINISHED"),
        ("workspace", "FAILED"),
    ]


def test_a_run_that_a_killed_process_left_open_ends_as_failed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(MlflowClient, "set_terminated", lambda *arguments: None)
        log_run(Run("workspace", children=[Run("warm-up")]), root=root, experiment="lacuna")
    experiment = client(root).get_experiment_by_name("lacuna").experiment_id
    own = client(root).create_run(experiment, run_name="the user's own")  # may be at work
    assert {run.info.status for run in stored(root)} == {"RUNNING"}
    log_run(Run("workspace"), root=root, experiment="lacuna")
    statuses = {run.info.run_id: run.info.status for run in stored(root)}
    assert statuses.pop(own.info.run_id) == "RUNNING"
    assert sorted(statuses.values()) == ["FAILED", "FAILED", "FINISHED"]


def test_a_failing_child_fails_its_parent(root: Path) -> None:
    broken = Run("warm-up", history=[{"epoch": 1, "loss": 0.5}, {"loss": 0.25}])
    with pytest.raises(KeyError, match="epoch"):
        log_run(Run("workspace", children=[broken]), root=root, experiment="lacuna")
    assert [run.info.status for run in stored(root)] == ["FAILED", "FAILED"]


def test_names_and_values_that_mlflow_refuses_stay_distinct(root: Path) -> None:
    """Classes, targets and files are called as users like: the first four of these stopped every run."""
    names = ["w/", "http://x", "x" * 251, "x" * 252, "a(b", "a)b", "größe"]
    files = [Path("plots", name) for name in ("a#b.png", "a%41.png", "a_b.png", "a%2Fb.png")]
    Path("plots").mkdir()
    for path in files:
        path.write_text(path.name)
    run = Run(
        "workspace",
        params={**dict.fromkeys(names, "x"), "data.unknown": "NA" * 5000},
        metrics={name: float(number) for number, name in enumerate(names)},
        history=[{"epoch": 1, "val_average_precision_w/": 0.5}],
        artifacts=[Path("plots")],
        tags={"mlflow.note.content": "long " * 5000},
    )
    run_id, _ = log_run(run, root=root, experiment="lacuna")
    data = client(root).get_run(run_id).data
    assert sorted(data.metrics.values()) == [0, 0.5, 1, 2, 3, 4, 5, 6]
    assert len(data.params) == 8
    assert data.params["data.unknown"].endswith("NA… (10000 characters)")
    assert data.tags["mlflow.note.content"].endswith("… (25000 characters)")
    found = [file.path for file in client(root).list_artifacts(run_id, "plots")]
    texts = {Path(client(root).download_artifacts(run_id, path)).read_text() for path in found}
    assert texts == {path.name for path in files}


def test_another_store_is_used_when_the_environment_names_one(
    tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "mlflow.db").write_bytes(migrated.read_bytes())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{other}/mlflow.db")
    log_run(Run("workspace"), root=tmp_path, experiment="lacuna")
    assert len(stored(other)) == 1
    assert not (tmp_path / "mlflow.db").exists()


def test_a_deleted_experiment_is_named(root: Path) -> None:
    log_run(Run("workspace"), root=root, experiment="lacuna")
    client(root).delete_experiment(client(root).get_experiment_by_name("lacuna").experiment_id)
    with pytest.raises(LacunaError, match=r"track\.experiment: .*'lacuna' is deleted"):
        log_run(Run("workspace"), root=root, experiment="lacuna")


def test_a_store_of_another_mlflow_version_is_one_line(root: Path) -> None:
    with sqlite3.connect(root / "mlflow.db") as store:
        store.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    with pytest.raises(LacunaError, match=f"MLflow at {root}/mlflow.db: .*mlflow db upgrade") as caught:
        log_run(Run("workspace"), root=root, experiment="lacuna")
    assert "\n" not in str(caught.value)


def test_nothing_is_reported_to_the_outside() -> None:
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_only_numbers_are_metrics() -> None:
    assert numbers({"f1": 0.5, "n_known": 3, "kind": "binary", "converged": True}) == {"f1": 0.5, "n_known": 3.0}
