"""The project's own MLflow store: in folders of any name, and after the project was moved or copied."""

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from lacuna.errors import LacunaError
from lacuna.tracking.content import Run
from lacuna.tracking.run import log_run
from lacuna.tracking.store import check_disk_space, database_uri, is_own_database, local_path

NAMES = ["a?b", "a%2Fb", "a#b", "a b", "é'\"x", "a@b:c", "a&b=c+d;e", "%41", "a\\b"]


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("picture.png").write_text("a picture")


@pytest.fixture
def project(tmp_path: Path, migrated: Path) -> Path:
    """A project with one run in its store."""
    root = tmp_path / "original"
    root.mkdir()
    shutil.copy(migrated, root / "mlflow.db")
    log(root, f1=0.5)
    return root


def log(root: Path, f1: float) -> str:
    run = Run("workspace", metrics={"f1": f1}, artifacts=[Path("picture.png")])
    run_id, is_new = log_run(run, root=root, experiment="lacuna")
    assert is_new
    return run_id


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def client(root: Path) -> MlflowClient:
    return MlflowClient(database_uri(root / "mlflow.db"))


@pytest.mark.parametrize("name", NAMES)
def test_a_project_in_a_folder_of_this_name_keeps_all_in_it(tmp_path: Path, migrated: Path, name: str) -> None:
    root = tmp_path / "deep" / name
    root.mkdir(parents=True)
    shutil.copy(migrated, root / "mlflow.db")
    run_id = log(root, f1=0.5)

    assert (root / f"mlruns/{run_id}/artifacts/picture.png").read_text() == "a picture"
    assert [path.name for path in root.parent.iterdir()] == [name]
    with sqlite3.connect(root / "mlflow.db") as database:
        assert database.execute("SELECT count(*) FROM runs WHERE run_uuid = ?", (run_id,)).fetchone() == (1,)
    assert [file.path for file in client(root).list_artifacts(run_id)] == ["picture.png"]
    assert Path(client(root).download_artifacts(run_id, "picture.png")).read_text() == "a picture"


def test_a_store_that_is_not_there_yet_is_made_in_such_a_folder(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "a%2Fb?c"
    root.mkdir(parents=True)
    log(root, f1=0.5)
    assert {path.name for path in root.iterdir()} == {"mlflow.db", "mlflow.db.lock", "mlruns"}
    assert [path.name for path in root.parent.iterdir()] == ["a%2Fb?c"]


def test_after_a_move_all_lies_where_the_project_is(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (first,) = [path.name for path in (project / "mlruns").iterdir()]
    moved = project.rename(project.with_name("moved ?"))
    second = log(moved, f1=0.75)

    assert not project.exists()
    assert (moved / f"mlruns/{second}/artifacts/picture.png").exists()
    assert Path(client(moved).download_artifacts(first, "picture.png")).read_text() == "a picture"
    (line,) = capsys.readouterr().out.splitlines()
    assert str(project / "mlruns") in line
    assert str(moved / "mlruns") in line
    log(moved, f1=0.25)
    assert capsys.readouterr().out == ""


def test_a_copy_leaves_the_original_alone(project: Path) -> None:
    before = {path: path.read_bytes() for path in files_below(project)}
    copy = Path(shutil.copytree(project, project.with_name("copy")))
    run_id = log(copy, f1=0.75)

    assert {path: path.read_bytes() for path in files_below(project)} == before
    assert (copy / f"mlruns/{run_id}/artifacts/picture.png").exists()
    for run in client(copy).search_runs([client(copy).get_experiment_by_name("lacuna").experiment_id]):
        assert local_path(run.info.artifact_uri).is_relative_to(copy)


def test_a_copy_without_the_files_still_finds_the_old_ones_and_writes_its_own(project: Path) -> None:
    (first,) = [path.name for path in (project / "mlruns").iterdir()]
    before = files_below(project)
    copy = project.with_name("copy")
    copy.mkdir()
    shutil.copy(project / "mlflow.db", copy)
    log(copy, f1=0.75)
    assert files_below(project) == before
    assert Path(client(copy).download_artifacts(first, "picture.png")).read_text() == "a picture"


def test_the_users_own_experiments_elsewhere_are_not_touched(project: Path) -> None:
    with sqlite3.connect(project / "mlflow.db") as database:
        database.executemany(
            "INSERT INTO experiments (name, artifact_location, lifecycle_stage, workspace) "
            "VALUES (?, ?, 'active', 'default')",
            [("disk", "file:///big/disk/files"), ("cloud", "s3://bucket/mlruns"), ("own", str(project / "mlruns/7"))],
        )
    moved = project.rename(project.with_name("moved"))
    log(moved, f1=0.75)
    places = {name: client(moved).get_experiment_by_name(name).artifact_location for name in ("disk", "cloud", "own")}
    assert places == {"disk": "file:///big/disk/files", "cloud": "s3://bucket/mlruns", "own": str(moved / "mlruns/7")}


def test_the_store_follows_by_itself_too(project: Path, repository: Path) -> None:
    moved = project.rename(project.with_name("moved"))
    command = [sys.executable, "-m", "lacuna.tracking.store"]
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    for expected in (1, 0):  # lines of what it did
        done = subprocess.run(command, cwd=moved, env=environment, capture_output=True, text=True, check=True)
        assert len(done.stdout.splitlines()) == expected
    with sqlite3.connect(moved / "mlflow.db") as database:
        assert str(project) not in "\n".join(database.iterdump())
    empty = moved.with_name("empty")
    empty.mkdir()
    subprocess.run(command, cwd=empty, env=environment, check=True)
    assert list(empty.iterdir()) == []


def test_a_named_store_whose_files_are_gone_is_one_line(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = project.with_name("other")
    other.mkdir()
    shutil.copy(project / "mlflow.db", other)
    shutil.rmtree(project)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{other}/mlflow.db")
    root = project.with_name("root")
    root.mkdir()
    with pytest.raises(LacunaError, match=rf"'lacuna' keeps its files in {project}/mlruns, whose folder is gone"):
        log_run(Run("workspace"), root=root, experiment="lacuna")
    assert not project.exists()


def test_the_projects_own_database_is_known_by_its_address(tmp_path: Path) -> None:
    assert is_own_database("sqlite:///mlflow.db", tmp_path)
    assert is_own_database(f"sqlite:///{tmp_path}/mlflow.db", tmp_path)
    assert not is_own_database("sqlite:///other.db", tmp_path)
    assert not is_own_database("http://127.0.0.1:5000", tmp_path)


def test_a_file_that_is_no_database_is_one_line_at_once(tmp_path: Path) -> None:
    Path("mlflow.db").write_text("not a database, but longer than the head of one would be, which has 100 bytes" * 9)
    with pytest.raises(LacunaError, match=f"{tmp_path}/mlflow.db: not a database"):
        log_run(Run("workspace"), root=tmp_path, experiment="lacuna")


def test_what_does_not_fit_is_not_begun(tmp_path: Path) -> None:
    check_disk_space(tmp_path, 1)
    with pytest.raises(OSError, match="No space left") as caught:
        check_disk_space(tmp_path, shutil.disk_usage(tmp_path).total)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path))
