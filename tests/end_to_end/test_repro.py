"""The whole pipeline by `dvc repro`, small: from nothing to a prediction, again, and after a kill."""

import csv
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dvc_project import environment, run, try_to_run
from tests.preloaded import preloaded_python
from tests.tiny_project import change_params

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def other_python() -> Iterator[Path]:
    """Not the Python that made the finished project: with a hash seed of its own, as each process of a user has."""
    with preloaded_python() as folder:
        yield folder


@pytest.fixture(scope="module")
def project(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the finished project. Its tests run in their order, each in what the last one left."""
    root = tmp_path_factory.mktemp("repro") / "project"
    shutil.copytree(finished, root)
    yield root
    shutil.rmtree(root)


def weights(root: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((root / "models/trained").iterdir())]


def test_a_fresh_project_ends_with_a_model_that_predicts(project: Path) -> None:
    for part in ("validation", "test"):
        metrics = json.loads((project / f"metrics/{part}.json").read_text())
        assert set(metrics["targets"]) == {"category", "person", "face", "animal", "blue"}
    image = next((project / "data/sample/images").glob("*.png"))
    printed = run(project, "python", "-m", "lacuna", "predict", str(image), "--json")
    assert image.name in printed
    assert "person" in printed


def test_nothing_changed_runs_nothing_and_forcing_changes_no_hash(project: Path, other_python: Path) -> None:
    assert "up to date" in run(project, "dvc", "repro")
    lock = (project / "dvc.lock").read_bytes()
    run(project, "dvc", "repro", "--force", python=other_python)
    assert (project / "dvc.lock").read_bytes() == lock


def test_killed_and_run_again_it_ends_with_the_same_weights(project: Path, other_python: Path) -> None:
    expected = weights(project)
    for name in ("train_warmup", "train_finetune"):  # an edit that changes no result has both run again
        with (project / f"stages/{name}.py").open("a") as file:
            file.write("# edited\n")
    checkpoints, warm_up = project / "runs/checkpoints", project / "runs/train_warmup.json"
    warm_up.unlink()
    command = ["dvc", "repro", "train_finetune"]
    killed = subprocess.Popen(command, cwd=project, env=environment(project), start_new_session=True)
    while not warm_up.exists() or not list(checkpoints.glob("*/state.npz")):
        assert killed.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not (project / "models/trained").exists()

    printed = run(project, "dvc", "repro", "train_finetune", python=other_python)
    assert "finetune epoch 12/12" in printed
    assert "finetune epoch 1/12" not in printed
    assert weights(project) == expected
    assert not list(checkpoints.glob("*/state.npz"))


def test_a_mistyped_key_stops_the_first_stage_in_one_line(project: Path) -> None:
    before = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(before + "typo: 1\n")
    done = try_to_run(project, "dvc", "repro")
    (project / "params.yaml").write_text(before)
    assert done.returncode != 0
    assert "error: params.yaml: typo: unknown key" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "sample" not in done.stdout


def test_corrected_labels_decode_no_image_and_run_no_trunk(project: Path, other_python: Path) -> None:
    labels = project / "data/sample/labels.csv"
    lines = labels.read_text().splitlines(keepends=True)
    own = project / "corrected.csv"
    own.write_text(
        "".join([lines[0], *(line.replace("NA", "0", 1) if ",NA" in line[-6:] else line for line in lines[1:])])
    )
    before = (project / "params.yaml").read_text()
    change_params(project, {"data.labels": "corrected.csv"})
    shutil.rmtree(project / "runs")
    run(project, "dvc", "repro", "evaluate", python=other_python)
    ran = {file.stem for file in (project / "runs").glob("*.json")}
    (project / "params.yaml").write_text(before)
    assert ran == {"check_params", "prepare", "train_warmup", "train_finetune", "calibrate", "evaluate"}


def test_images_that_are_added_move_no_other_from_its_part(finished: Path, python: Path, tmp_path: Path) -> None:
    """DVC deletes what a stage is about to write, but not the split that the next one is to keep."""
    root = tmp_path / "project"
    shutil.copytree(finished, root)
    before = parts_of(root)
    change_params(root, {"sample.images": 150})
    run(root, "dvc", "repro", "prepare", python=python)
    after = parts_of(root)
    assert len(after) > len(before)
    stayed = before.keys() & after.keys()
    assert len(stayed) > 100
    assert {name: after[name] for name in stayed} == {name: before[name] for name in stayed}


def parts_of(root: Path) -> dict[str, str]:
    with (root / "data/prepared/manifest.csv").open(newline="") as file:
        return {line["image"]: line["split"] for line in csv.DictReader(file)}
