"""Is a promise of 95 % precision kept on all images, where labels are missing for a reason?

    python -m benchmarks selective_promises --fashion FOLDER

Products, parts, head and mechanisms are those of `benchmarks.selective_products`. A fifth of the rest, with gaps, gives
the promise for each of some attributes, again and again; kept is counted on the whole rest, whose labels all stay.
"labelled": as if the labelled images were all.
"""

from pathlib import Path

import numpy as np

from benchmarks.gaps_labels import Labels
from benchmarks.promises import CERTAINTY, PRECISION
from benchmarks.selective import BOOTSTRAP, MECHANISMS
from benchmarks.selective_products import Products, prepare_products
from lacuna.calibration.cross_fit import cross_fit
from lacuna.calibration.fit import fit_calibration
from lacuna.calibration.prevalence import estimate_population
from lacuna.calibration.selective import Promise, promise
from lacuna.core.predictions import Predictions
from lacuna.core.scores import Floats
from lacuna.core.targets import Target
from lacuna.inference.predictor import SHARE_REPLICATES
from lacuna.io.text_table import align
from lacuna.stats.label_shift import importance_replicates

RESPLITS, PROMISED_TARGETS = 100, slice(None, None, 5)


def selective_promises(fashion: Path) -> None:
    """Print for each mechanism how often a promise is given, and kept when it is."""
    products = prepare_products(fashion)
    print(f"promises, {RESPLITS} re-splits")
    print(align([("known", "targets", "given", "kept", "given, labelled", "kept, labelled"), *keep_promises(products)]))


def keep_promises(products: Products) -> list[tuple[str, ...]]:
    """For each mechanism how often a promise is given for some images, and kept when it is, corrected and not."""
    params, file = products.params, products.files[0]
    settings = params.evaluate.model_copy(update={"bootstrap": BOOTSTRAP, "population": "all"})
    once, rows = settings.model_copy(update={"bootstrap": 1}), []
    train, val, rest = products.parts(0)
    for mechanism in MECHANISMS:
        if mechanism == "brightness":
            continue
        labels = products.hide(file, mechanism, 0)
        logits = products.logits(file, labels, train).astype(np.float32)
        image = np.array([str(row) for row in range(len(labels))])
        validation = Predictions(logits, labels, image, products.group, products.brightness).take(val)
        targets = file.targets
        fitted = cross_fit(targets, validation, params.calibrate)
        population = estimate_population(fitted, settings)
        counted: list[list[bool]] = [[], [], [], []]
        for place, one in enumerate((population, None)):
            calibration = fit_calibration(targets, validation, params.calibrate, once, population=one)
            chances, decided = calibration.apply(targets, logits[rest]), calibration.decide(targets, logits[rest])
            for index in range(len(targets))[PROMISED_TARGETS]:
                truth, here = file.train[rest, index], (labels[rest, index], chances[index], decided[:, index])
                corrected = one is not None and one.corrected[index]
                for seed in range(RESPLITS):
                    made = promised(targets[index], *here, products.group[rest], seed, corrected)
                    answered = made.answers(targets[index], chances[index], decided[:, index]) & (truth >= 0)
                    counted[2 * place].append(bool(answered.any()))
                    if answered.any():
                        counted[2 * place + 1].append((truth == decided[:, index])[answered].mean() >= PRECISION)
        shares = [f"{np.mean(of):.1%}" for of in counted]
        rows.append((mechanism, str(len(range(len(targets))[PROMISED_TARGETS])), *shares))
    return rows


def promised(
    target: Target, labels: Labels, chances: Floats, decided: Labels, group: np.ndarray, seed: int, corrected: bool
) -> Promise:
    """What a fifth of the groups promises, as `predict --min-precision` does with the test part."""
    groups = np.unique(group)
    drawn = groups[np.random.default_rng([seed, 3]).random(len(groups)) < 0.2]
    fifth = np.isin(group, drawn)
    importance = None
    if corrected:
        importance = importance_replicates(chances[fifth], labels[fifth], group[fifth], SHARE_REPLICATES, seed)
    return promise(
        target, labels[fifth], chances[fifth], decided[fifth], group[fifth], PRECISION, CERTAINTY, importance
    )
