"""The stages calibrate and evaluate, one after the other as in the pipeline."""

import csv
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from lacuna.calibration.model import Calibration
from lacuna.core.predictions import Predictions
from lacuna.core.relations import save_relations
from lacuna.core.targets import Target, Targets
from lacuna.io.atomic import read_json, write_json
from lacuna.io.csv_files import read_csv
from stages.calibrate import calibrate
from stages.evaluate import evaluate
from tests.project_population import write_population
from tests.simulated_predictions import PREVALENCE, RELATION, TARGETS, TIED, simulate, simulate_tied

OUTS = ("models", "metrics", "plots")


@pytest.fixture
def predicted(tiny_project):
    """Return a function that makes a project at the point where `calibrate` runs, from simulated predictions."""

    def make(signal, targets=TARGETS, n=200, relations=(), **changes):
        params = tiny_project({"evaluate.bootstrap": 60, **changes})
        Path("plots").mkdir()
        targets.save(Path("data/predictions/targets.json"))
        save_relations(Path("data/prepared/hierarchy.json"), relations)
        counts = {target.name: {"counts": [100] * target.n_classes} for target in targets}
        write_json(Path("data/prepared/class_weights.json"), counts)
        for part, seed in (("val", 0), ("test", 1)):
            predictions = simulate(n, signal=signal, seed=seed, targets=targets)
            predictions.save(Path(f"data/predictions/{part}.npz"))
        write_population(params)
        for phase, losses in (("warmup", []), ("finetune", [0.5, 0.3, 0.4])):
            rows = "".join(
                f"{phase},{epoch},{int(loss == min(losses))},{loss},{loss}\n" for epoch, loss in enumerate(losses)
            )
            Path(f"plots/history_{phase}.csv").write_text("phase,epoch,kept,log_loss,val_log_loss\n" + rows)
        Path("plots/regularization_path.csv").write_text("target,l2,cv_log_loss,chosen\nred,0.1,0.4,1\n")
        return params

    return make


def digests():
    files = [path for out in OUTS for path in sorted(Path(out).rglob("*")) if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_what_the_stages_write_and_dvc_draws(predicted, repository, capsys):
    params = predicted(3, **{"evaluate.population": "labelled"})
    calibrate(params)
    facts = evaluate(params)
    printed = capsys.readouterr().out
    calibration = Calibration.load(Path("models/calibration.json"))
    for part in ("validation", "test"):
        metrics = read_json(Path(f"metrics/{part}.json"))
        assert list(metrics["targets"]) == list(TARGETS.names)
        for name in PREVALENCE:
            threshold = metrics["targets"][name]["threshold"]
            assert threshold == pytest.approx(calibration.targets[name].threshold, abs=1e-6)
        assert facts[f"{part}_conclusion"] == "Every target beats its best trivial baseline"
        assert f"{part} (95% intervals)" in printed
    for picture in ("pr_curves", "reliability", "attributes", "loss_curve", "confusion/kind"):
        with Image.open(f"plots/{picture}.png") as image:
            assert 400 < image.width < 1800

    with open("plots/confusion/kind.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    figures = read_json(Path("metrics/validation.json"))["targets"]["kind"]
    assert len(rows) == figures["n_known"]
    right = sum(row["actual"] == row["predicted"] for row in rows)
    assert right / len(rows) == pytest.approx(figures["accuracy"], abs=1e-6)
    assert facts["confusions"][0] in printed
    assert "consistency" not in read_json(Path("metrics/validation.json"))
    classes = read_csv(Path("metrics/classes.csv"))
    assert {row["part"] for row in classes} == {"validation", "test"}
    assert sum(row["target"] == "kind" for row in classes) == 6
    dvc_draws_what_is_written(repository)


@pytest.mark.slow
@pytest.mark.parametrize("consistent", [True, False])
def test_tied_targets_are_decided_together_if_asked_for(predicted, capsys, consistent):
    params = predicted(1.5, TIED, relations=(RELATION,), **{"calibrate.consistent": consistent})
    for part, seed in (("val", 0), ("test", 1)):
        simulate_tied(200, signal=1.5, seed=seed).save(Path(f"data/predictions/{part}.npz"))
    calibrate(params)
    evaluate(params)
    printed = capsys.readouterr().out
    metrics = read_json(Path("metrics/test.json"))
    assert ("article determines family" in printed) == consistent
    assert ("consistency" in metrics) == consistent
    assert ("independent_accuracy" in metrics["targets"]["article"]) == consistent
    assert Calibration.load(Path("models/calibration.json")).relations == ((RELATION,) if consistent else ())


def dvc_draws_what_is_written(repository):
    """The columns and templates that dvc.yaml names exist."""
    plots = YAML(typ="safe").load(repository / "dvc.yaml")["plots"]
    drawn = {name: one for entry in plots if isinstance(entry, dict) for name, one in entry.items()}
    for folder in ("plots/confusion", "plots/confused_pairs"):
        entry = drawn[folder]
        header = Path(folder, "kind.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
        assert {entry["x"], entry["y"]} <= set(header)
        own = repository / ".dvc" / "plots" / f"{entry['template']}.json"
        assert own.is_file() or entry["template"] == "confusion_normalized"


@pytest.mark.slow
def test_a_clone_of_a_project_without_categorical_targets_is_up_to_date_for_dvc(predicted, repository, tmp_path):
    params = predicted(3, Targets((Target("red", "binary", ("absent", "present")),)))
    calibrate(params)
    evaluate(params)
    plots = YAML(typ="safe").load(repository / "dvc.yaml")["plots"]
    folders = ["plots/confusion", "plots/confused_pairs"]
    drawn = [entry for entry in plots if isinstance(entry, dict) and set(entry) & set(folders)]
    outs = [{folder: {"cache": False}} for folder in folders]
    content = {"stages": {"evaluate": {"cmd": "false", "outs": outs}}, "plots": drawn}

    def run(*command, cwd=tmp_path):
        return subprocess.run(command, cwd=cwd, text=True, capture_output=True, check=True)

    dvc = (sys.executable, "-m", "dvc")
    run("git", "init", "-q")
    run(*dvc, "init", "-q")
    shutil.copytree(repository / ".dvc/plots", tmp_path / ".dvc/plots", dirs_exist_ok=True)
    YAML().dump(content, tmp_path / "dvc.yaml")
    run(*dvc, "commit", "-f", "-q")
    run("git", "add", "dvc.yaml", "dvc.lock", ".dvc", "plots")
    run("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "run")
    run("git", "clone", "-q", str(tmp_path), str(tmp_path / "clone"))
    clone = tmp_path / "clone"
    assert "up to date" in run(*dvc, "status", cwd=clone).stdout
    shown = run(*dvc, "plots", "show", cwd=clone)
    assert "fail" not in shown.stderr + shown.stdout
    assert "warn" not in (shown.stderr + shown.stdout).lower()


@pytest.mark.slow
def test_running_twice_changes_no_byte(predicted):
    params = predicted(2)
    calibrate(params)
    evaluate(params)
    before = digests()
    calibrate(params)
    evaluate(params)
    assert digests() == before
    assert len(before) >= 9


def test_labels_without_signal_are_called_so(predicted, capsys):
    params = predicted(0)
    calibrate(params)
    facts = evaluate(params)
    assert facts["test_conclusion"].startswith("No target beats its best trivial baseline")
    assert facts["validation_conclusion"] in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("name", ["one target", "many targets", "many classes"])
def test_any_number_of_targets_and_classes_fits_the_pictures(predicted, name):
    two = ("absent", "present")
    targets = {
        "one target": [Target("red", "binary", two)],
        "many targets": [Target("red", "binary", two), Target("old", "binary", two)]
        + [Target(f"a rather long name of kind {i}", "categorical", ("a", "b")) for i in range(10)],
        "many classes": [Target("kind", "categorical", tuple(f"class {i}" for i in range(60)))],
    }[name]
    params = predicted(3, Targets(tuple(targets)), n=150)
    calibrate(params)
    evaluate(params)
    for picture in Path("plots").rglob("*.png"):
        with Image.open(picture) as image:
            assert image.width < 1800
            assert image.height < 2500
    assert Path("plots/confusion").is_dir()


def test_gaps_end_in_warnings_not_in_errors(predicted, capsys):
    params = predicted(3)
    for part in ("val", "test"):
        path = Path(f"data/predictions/{part}.npz")
        whole = Predictions.load(path)
        labels = whole.labels.copy()
        labels[:, 0] = -1
        labels[np.flatnonzero(labels[:, 1] == 1)[2:], 1] = -1
        Predictions(whole.logits, labels, whole.image, whole.group).save(path)
    write_population(params)
    notes = calibrate(params)["notes"]
    assert any(note.startswith("kind: no known label") for note in notes)
    assert any(note.startswith("red: 2 present") for note in notes)
    assert f"warning: {notes[0]}" in capsys.readouterr().out
    assert "too few of the rarer class" in evaluate(params)["validation_conclusion"]
