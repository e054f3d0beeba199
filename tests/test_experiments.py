import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lacuna.cli import main
from lacuna.core.predictions import Predictions
from lacuna.core.targets import Target, Targets
from lacuna.errors import LacunaError
from lacuna.experiments import PREDICTIONS, read_experiment

REPOSITORY = Path(__file__).parents[1]

STAGE = """
from pathlib import Path
import numpy as np
from lacuna.config.load import load_params
from lacuna.core.predictions import Predictions
from lacuna.core.targets import Target, Targets

gamma = load_params(Path("params.yaml")).train.gamma
labels = np.arange(60) % 2
noise = np.random.default_rng(0).normal(size=60) * gamma
names = np.array([f"{i}.png" for i in range(60)])
logits = (labels * 2 - 1 + noise)[:, None].astype("f4")
Predictions(logits, labels[:, None].astype("i2"), names, np.arange(60)).save(Path("data/predictions/val.npz"))
Targets((Target("red", "binary", ("0", "1")),)).save(Path("data/predictions/targets.json"))
Path("data/prepared").mkdir(parents=True, exist_ok=True)
Path("data/prepared/hierarchy.json").write_text("[]")
"""

DVC_YAML = """
stages:
  train:
    cmd: python train.py
    deps: [train.py]
    params: [train.gamma]
    outs: [data/predictions, data/prepared]
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project whose commit trained with much noise (gamma 8) and whose experiment `calm` with little (0.5)."""
    root = tmp_path_factory.mktemp("project")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
        **{f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }

    def run(*command: str) -> None:
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    text = (REPOSITORY / "params.yaml").read_text()
    (root / "params.yaml").write_text(text.replace("gamma: 2.0", "gamma: 8.0"))
    (root / "train.py").write_text(STAGE)
    (root / "dvc.yaml").write_text(DVC_YAML)
    run("git", "init", "--quiet", "--initial-branch", "main")
    run(sys.executable, "-m", "dvc", "init", "--quiet")
    run(sys.executable, "-m", "dvc", "repro", "--quiet")
    run("git", "add", "--all")
    run("git", "commit", "--quiet", "--message", "noisy")
    run(sys.executable, "-m", "dvc", "exp", "run", "--quiet", "--name", "calm", "--set-param", "train.gamma=0.5")
    return root


def test_a_commit_an_experiment_and_the_working_tree_are_read_each_with_its_own_params(project):
    noisy, calm, workspace = (read_experiment(project, name) for name in ("main", "calm", "workspace"))
    assert [noisy.params.train.gamma, calm.params.train.gamma] == [8, 0.5]
    assert (noisy.name, calm.name) == ("main", "calm")
    assert calm.targets.names == ("red",)
    np.testing.assert_array_equal(noisy.validation.labels, calm.validation.labels)
    assert noisy.validation.logits.std() > 3 * calm.validation.logits.std()
    np.testing.assert_array_equal(workspace.validation.logits, calm.validation.logits)  # the last run


def test_compare_prints_which_experiment_is_better(project, monkeypatch, capsys):
    monkeypatch.chdir(project)
    assert main(["compare", "main", "calm"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["target", "metric", "main", "calm", "difference", "interval", "better"]
    (log_loss,) = [line for line in lines if line.startswith("red     log loss")]
    assert log_loss.endswith("calm")
    assert "60 validation images in common" in lines


@pytest.mark.parametrize("name", ["clam", "", "main:train.py", "../main"])
def test_an_unknown_revision_is_named(project, name):
    with pytest.raises(LacunaError, match="no such experiment, branch, tag or commit") as caught:
        read_experiment(project, name)
    assert repr(name) in str(caught.value)


def test_data_that_dvc_no_longer_has_is_named(project, tmp_path):
    root = shutil.copytree(project, tmp_path / "project")
    shutil.rmtree(root / ".dvc/cache/files")
    with pytest.raises(LacunaError, match=f"calm: {PREDICTIONS} is neither in that revision nor in DVC's cache"):
        read_experiment(root, "calm")


def test_a_working_tree_without_predictions_says_what_to_run(project, tmp_path):
    root = shutil.copytree(project, tmp_path / "project")
    (root / PREDICTIONS).unlink()
    with pytest.raises(LacunaError, match=f"workspace: {PREDICTIONS} is missing; run `dvc repro"):
        read_experiment(root, "workspace")


def test_a_folder_that_is_no_project_is_one_line(tmp_path):
    with pytest.raises(LacunaError, match="cannot be read by DVC") as caught:
        read_experiment(tmp_path, "main")
    assert "\n" not in str(caught.value)


def test_experiments_of_other_targets_are_not_compared(project, tmp_path, monkeypatch, capsys):
    root = shutil.copytree(project, tmp_path / "project")
    targets = root / "data/predictions/targets.json"
    targets.unlink()
    targets.write_text('[{"name": "blue", "kind": "binary", "classes": ["0", "1"]}]')
    monkeypatch.chdir(root)
    assert main(["compare", "workspace", "main"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "error: the experiments have no target in common: one predicts blue (2 classes), the other red (2 classes)"
    )


def test_experiments_that_share_some_targets_are_compared_on_those(project, tmp_path, monkeypatch, capsys):
    root = shutil.copytree(project, tmp_path / "project")
    path, targets = root / PREDICTIONS, root / "data/predictions/targets.json"
    kept = Predictions.load(path)
    path.unlink()
    targets.unlink()
    both = {name: np.hstack([getattr(kept, name)] * 2) for name in ("logits", "labels")}
    Predictions(both["logits"], both["labels"], kept.image, kept.group).save(path)
    Targets((Target("blue", "binary", ("0", "1")), Target("red", "binary", ("0", "1")))).save(targets)
    monkeypatch.chdir(root)
    assert main(["compare", "workspace", "calm"]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    (log_loss,) = [line for line in lines if line.startswith("red     log loss")]
    assert "+0.000" in log_loss
    assert not any(line.startswith("blue") for line in lines)
    assert last == "targets left out: blue (in one experiment only)"


def test_another_validation_part_is_not_compared(project, tmp_path, monkeypatch, capsys):
    root = shutil.copytree(project, tmp_path / "project")
    path = root / PREDICTIONS
    kept = Predictions.load(path)
    path.unlink()
    Predictions(kept.logits, kept.labels, np.char.add("other_", kept.image), kept.group).save(path)
    monkeypatch.chdir(root)
    assert main(["compare", "workspace", "main"]) == 1
    assert "no validation image in common" in capsys.readouterr().err
