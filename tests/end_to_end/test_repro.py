"""The whole pipeline by `dvc repro`, small: from nothing to a prediction, again, and after a kill."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

pytestmark = pytest.mark.slow

SMALL = {
    ("sample", "images"): 240,
    ("data", "image_size"): 64,
    ("augment", "views"): 2,
    ("warmup", "epochs"): 2,
    ("finetune", "epochs"): 4,
    ("finetune", "patience"): 4,
    ("split", "min_positives"): 1,
    ("evaluate", "bootstrap"): 50,
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[Path]:
    """The repository's own pipeline in a folder of its own, run once from nothing."""
    root = tmp_path_factory.mktemp("repro") / "project"
    no_caches = shutil.ignore_patterns("__pycache__")
    for folder in ("lacuna", "stages", "corrections"):
        shutil.copytree(repository / folder, root / folder, ignore=no_caches)
    for name in ("dvc.yaml", "params.yaml", "requirements-serve.txt", ".gitignore", ".dvcignore"):
        shutil.copy(repository / name, root / name)
    change(root, SMALL)
    run(root, "git", "init", "--quiet")
    run(root, "dvc", "init", "--quiet")
    run(root, "dvc", "repro")
    yield root
    shutil.rmtree(root)


def environment() -> dict[str, str]:
    keep = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "DVC_ROOT")}
    return {**keep, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def run(root: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=root, text=True, capture_output=True, env=environment(), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def change(root: Path, changes: dict[tuple[str, str], Any]) -> None:
    yaml = YAML()
    content = yaml.load(root / "params.yaml")
    for (block, key), value in changes.items():
        content[block][key] = value
    yaml.dump(content, root / "params.yaml")


def weights(root: Path) -> bytes:
    return (root / "models/finetuned.weights.h5").read_bytes()


def test_a_fresh_project_ends_with_a_model_that_predicts(project: Path) -> None:
    for part in ("validation", "test"):
        metrics = json.loads((project / f"metrics/{part}.json").read_text())
        assert set(metrics["targets"]) == {"category", "person", "face", "animal", "blue"}
    image = next((project / "data/sample/images").glob("*.png"))
    printed = run(project, "python", "-m", "lacuna", "predict", str(image), "--json")
    assert image.name in printed
    assert "person" in printed


def test_nothing_changed_runs_nothing_and_forcing_changes_no_hash(project: Path) -> None:
    assert "up to date" in run(project, "dvc", "repro")
    lock = (project / "dvc.lock").read_bytes()
    run(project, "dvc", "repro", "--force")
    assert (project / "dvc.lock").read_bytes() == lock


def test_killed_and_run_again_it_ends_with_the_same_weights(project: Path) -> None:
    expected = weights(project)
    change(project, {("train", "seed"): 1})
    run(project, "dvc", "repro", "train_finetune")
    other = weights(project)
    assert other != expected

    change(project, {("train", "seed"): 0})
    shutil.rmtree(project / ".dvc/cache/runs")  # or DVC would restore what it has seen
    command = ["dvc", "repro", "train_finetune"]
    killed = subprocess.Popen(command, cwd=project, env=environment(), start_new_session=True)
    checkpoints = project / "runs/checkpoints"
    while not (project / "runs/train_warmup.json").exists() or not list(checkpoints.glob("*/state.npz")):
        assert killed.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not (project / "models/finetuned.weights.h5").exists()

    printed = run(project, "dvc", "repro", "train_finetune")
    assert "finetune epoch 4/4" in printed
    assert "finetune epoch 1/4" not in printed
    assert weights(project) == expected
    assert not list(checkpoints.glob("*/state.npz"))


def test_a_mistyped_key_stops_the_first_stage_in_one_line(project: Path) -> None:
    before = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(before + "typo: 1\n")
    done = subprocess.run(["dvc", "repro"], cwd=project, text=True, capture_output=True, env=environment(), check=False)
    (project / "params.yaml").write_text(before)
    assert done.returncode != 0
    assert "error: params.yaml: typo: unknown key" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "sample" not in done.stdout


def test_corrected_labels_decode_no_image_and_run_no_trunk(project: Path) -> None:
    labels = project / "data/sample/labels.csv"
    lines = labels.read_text().splitlines(keepends=True)
    own = project / "corrected.csv"
    own.write_text(
        "".join([lines[0], *(line.replace("NA", "0", 1) if ",NA" in line[-6:] else line for line in lines[1:])])
    )
    before = (project / "params.yaml").read_text()
    change(project, {("data", "labels"): "corrected.csv"})
    shutil.rmtree(project / "runs")
    run(project, "dvc", "repro", "evaluate")
    ran = {file.stem for file in (project / "runs").glob("*.json")}
    (project / "params.yaml").write_text(before)
    assert ran == {"check_params", "prepare", "train_warmup", "train_finetune", "calibrate", "evaluate"}
