"""Lacuna against the plain Keras recipe: processor time and quality, both sides in one run.

python -m benchmarks speed --fashion FOLDER       1,500 products, 5 + 10 epochs, 3 seeds: half an hour on 2 quiet cores
"""

import shutil
import tempfile
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.project import change_params, dvc, machine, make_project, run
from lacuna.core.predictions import Predictions
from lacuna.core.scores import activate, average_precision
from lacuna.core.targets import Targets

PLAIN = {"finetune.epochs": 10, "finetune.patience": 10}
OURS = {"finetune.epochs": 0}
"""As in the preset: what fine-tuning brings there is less than it costs."""

TRAININGS = ("-m", "stages.train_warmup"), ("-m", "stages.train_finetune")


def macro_average_precision(project: Path, predictions: Path) -> float:
    """Macro average precision on validation, over the targets that define it."""
    targets = Targets.load(project / "data/prepared/targets.json")
    val = Predictions.load(predictions)
    each = [
        average_precision(val.labels[:, i], activate(target, val.logits[:, columns]))
        for i, (target, columns) in enumerate(zip(targets, targets.slices, strict=True))
    ]
    return float(np.mean([value for value in each if value is not None]))


def speed(fashion: Path, images: int, seeds: int) -> None:
    """Print a Markdown table of processor seconds and quality: medians over seeds, sides in turned order."""
    with tempfile.TemporaryDirectory() as parent:
        project = make_project(Path(parent) / "project", fashion, images, {"data.image_size": 224})
        dvc(project, "repro", "--quiet", "prepare")
        seconds: dict[str, list[float]] = {}
        quality: dict[str, list[float]] = {}

        def plain() -> None:
            out = Path(parent) / "plain.npz"
            change_params(project, PLAIN)
            seconds.setdefault("plain", []).append(run(project, "-m", "benchmarks.plain_keras", str(out)))
            quality.setdefault("plain", []).append(macro_average_precision(project, out))

        def ours() -> None:
            change_params(project, OURS)
            run(project, "-m", "stages.check_params")
            features = run(project, "-m", "stages.featurize")
            trainings = sum(run(project, *command) for command in TRAININGS)
            seconds.setdefault("cold", []).append(features + trainings)
            seconds.setdefault("warm", []).append(trainings)
            quality.setdefault("ours", []).append(
                macro_average_precision(project, project / "data/predictions/val.npz")
            )

        for seed in range(seeds):
            change_params(project, {"train.seed": seed})
            for side in (plain, ours) if seed % 2 == 0 else (ours, plain):
                side()
            print(f"seed {seed}: {seconds} {quality}", flush=True)

        print(f"\n{images:,} fashion products, 224 px, {machine()}; medians of {seeds} seeds\n")
        print("| | processor s | times faster | validation macro AP | minus plain, each seed |\n|---|---|---|---|---|")
        base = median(seconds["plain"])
        print(f"| plain Keras, 5 + 10 epochs | {base:.0f} | 1 | {median(quality['plain']):.4f} | |")
        differences = ", ".join(f"{a - b:+.4f}" for a, b in zip(quality["ours"], quality["plain"], strict=True))
        for name in ("cold", "warm"):
            taken = median(seconds[name])
            print(
                f"| Lacuna, {name} | {taken:.0f} | {base / taken:.1f} | {median(quality['ours']):.4f} | {differences} |"
            )


def experiments(fashion: Path, images: int) -> None:
    """Time what a user does after the first run: another threshold, 20 corrected labels."""
    with tempfile.TemporaryDirectory() as parent:
        changes = {"calibrate.rule": "fixed", **OURS}
        project = make_project(Path(parent) / "project", fashion, images, changes)
        dvc(project, "repro", "--quiet")
        taken = [
            dvc(project, "exp", "run", "--quiet", "evaluate", "-S", f"calibrate.threshold={threshold}")
            for threshold in (0.4, 0.45, 0.55)
        ]
        print(f"dvc exp run evaluate -S calibrate.threshold=…: {median(taken):.1f} s, median of {len(taken)}")

        styles = project / "data/raw/styles.csv"
        lines = styles.read_text(encoding="utf-8").splitlines(keepends=True)
        lines[1:21] = [line.replace("Casual", "Formal") for line in lines[1:21]]
        styles.write_text("".join(lines), encoding="utf-8")
        before = {file: file.stat().st_mtime_ns for file in (project / "data").glob("[if]*/*/*.npy")}
        shutil.rmtree(project / "runs")
        corrected = dvc(project, "repro", "--quiet", "evaluate")
        after = {file: file.stat().st_mtime_ns for file in (project / "data").glob("[if]*/*/*.npy")}
        ran = sorted(file.stem for file in (project / "runs").glob("*.json"))
        untouched = "untouched" if before == after else "written again"
        print(f"20 corrected labels: {corrected:.1f} s; stages run: {', '.join(ran)}; images and features {untouched}")
