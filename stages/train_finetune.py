"""Phase 2: the last layers, from where phase 1 left the head; kept is what validation shows to be better.

python -m stages.train_finetune
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.calibration.candidates import choose
from lacuna.calibration.cross_fit import cross_fit
from lacuna.calibration.population import describe_population
from lacuna.calibration.prevalence import estimate_population
from lacuna.config.params import Params
from lacuna.core.head_weights import HEAD_ALONE, HeadWeights
from lacuna.core.manifest import Part
from lacuna.core.predictions import Predictions
from lacuna.core.scores import Floats
from lacuna.core.working_image import measure_light
from lacuna.io.atomic import atomic_folder, sha256, write_json
from lacuna.training.candidates import candidates_of
from lacuna.training.checkpoint import open_checkpoint
from lacuna.training.data import TrainingData
from lacuna.training.history import write_history
from lacuna.training.phases import fine_tune_key
from stages._run import Facts, checkpoint_folder, run

HISTORY = Path("plots/history_finetune.csv")


def train_finetune(params: Params) -> Facts:
    data = TrainingData.open(Path("data"), params.train)
    head = HeadWeights.load(Path("models/head.npz"))
    with open_checkpoint(checkpoint_folder(), fine_tune_key(params, data, head)) as checkpoint:
        candidates, tuned = candidates_of(params, data, head, checkpoint)
        light = _light(data)
        history, best_epoch = (tuned.history, tuned.best_epoch) if tuned else ([], 0)
        predictions = {
            name: {
                part: _predictions(data, part, logits, light if part == "val" else None)
                for part, logits in candidate.logits.items()
            }
            for name, candidate in candidates.items()
        }
        choice = choose(
            data.targets, {name: of["val"] for name, of in predictions.items()}, params.calibrate, params.evaluate
        )
        kept = predictions[choice.kept]
        fitted = cross_fit(data.targets, kept["val"], params.calibrate)
        population = estimate_population(fitted, params.evaluate)
        with atomic_folder(Path("models/trained")) as folder:
            candidates[choice.kept].save(folder, choice.kept, params.finetune.unfreeze)
        with atomic_folder(Path("data/predictions")) as folder:
            data.targets.save(folder / "targets.json")
            for part, of_part in kept.items():
                of_part.save(folder / f"{part}.npz")
            population.save(folder / "population.npz")
        of_model = 0 if choice.kept == HEAD_ALONE else best_epoch
        write_history(HISTORY, "finetune", history, of_model, data.targets)
        write_json(Path("metrics/training.json"), choice.to_json())
    print(choice.describe(), *describe_population(data.targets, population, params.evaluate.confidence), sep="\n")
    return {
        **(tuned.parameters if tuned else {}),
        "epochs": max(len(history) - 1, 0),
        "best_epoch": best_epoch,
        "history_sha256": sha256(HISTORY),
    }


def _predictions(data: TrainingData, part: Part, logits: NDArray[np.float32], light: Floats | None) -> Predictions:
    of_part = data.manifest.part(part)
    return Predictions(logits, of_part.labels, of_part.image, of_part.group, light)


def _light(data: TrainingData) -> Floats:
    """Of each validation image what being labelled may depend on beside the label: brightness, contrast, colour."""
    size = data.images.shape[1]
    rows = data.manifest.part("val").row.tolist()
    return np.array([measure_light(data.images[row], size, size, "pad") for row in rows], np.float64)


if __name__ == "__main__":
    run("train_finetune", train_finetune)
