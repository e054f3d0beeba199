"""The stages calibrate and evaluate, one after the other as in the pipeline."""

import csv
import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lacuna.calibration import Calibration
from lacuna.consistency import save_relations
from lacuna.files import read_json, write_json
from lacuna.predictions import Predictions
from lacuna.targets import Target, Targets
from stages.calibrate import calibrate
from stages.evaluate import evaluate
from tests.simulated_predictions import PREVALENCE, TARGETS, simulate

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
        for phase, losses in (("warmup", [0.7, 0.6]), ("finetune", [0.5, 0.3, 0.4])):
            rows = "".join(f"{phase},{epoch},{loss},{loss}\n" for epoch, loss in enumerate(losses, 1))
            Path(f"plots/history_{phase}.csv").write_text("phase,epoch,log_loss,val_log_loss\n" + rows)
        return params

    return make


def digests():
    files = [path for out in OUTS for path in sorted(Path(out).rglob("*")) if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_what_the_stages_write(predicted, capsys):
    params = predicted(3)
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
    notes = calibrate(params)["notes"]
    assert any(note.startswith("kind: no known label") for note in notes)
    assert any(note.startswith("red: 2 present") for note in notes)
    assert f"warning: {notes[0]}" in capsys.readouterr().out
    assert "too few labels" in evaluate(params)["validation_conclusion"]
