"""Is a promise of precision kept as often as it is given? Re-splits of the data in the working folder.

    python -m benchmarks promises       after `dvc repro featurize`

A linear probe on the pooled features, trained on three tenths of the groups, stands for the model. The others are split
again and again: a fifth gives the promise. Kept is counted twice. On the other four fifths: these are a finite sample
too, and a fifth that is better than the whole leaves a rest that is worse, so they break a true promise a little more
often than the world would. And on all the images together, from which the fifth was drawn.
"""

from pathlib import Path

import numpy as np

from benchmarks.project import machine
from lacuna.calibration.selective import promise
from lacuna.config.load import load_params
from lacuna.core.scores import activate
from lacuna.evaluation.baselines.feature_models import answer_with_probe
from lacuna.training.data import TrainingData

RESPLITS = 1000
TRAINED, PROMISED = 0.3, 0.2
PRECISION, CERTAINTY = 0.95, 0.9


def promises(project: Path) -> None:
    """Print a Markdown table, a row per target."""
    data = TrainingData.open(project / "data", load_params(project / "params.yaml").train)
    manifest, random = data.manifest, np.random.default_rng(0)
    train = _draw(manifest.group, TRAINED, random)
    features = np.asarray(data.store.pooled[:, 0])[manifest.row]
    logits = answer_with_probe(data.targets, features[train], manifest.labels[train], features[~train])
    labels, group = manifest.labels[~train], manifest.group[~train]
    splits = [_draw(group, PROMISED, random) for _ in range(RESPLITS)]
    print(f"\n{RESPLITS} re-splits of {len(labels):,} images, {machine()}\n")
    print(f"| target | classes | accuracy | {PRECISION:.0%} promised | kept on others | kept on all | cells answered |")
    print("|---|---|---|---|---|---|---|")
    for index, (target, columns) in enumerate(zip(data.targets, data.targets.slices, strict=True)):
        stated = activate(target, logits[:, columns])
        decided, truth = stated.argmax(axis=1).astype(np.int16), labels[:, index]
        given, kept, kept_on_all, shares = 0, 0, 0, []
        for here in splits:
            made = promise(target, truth[here], stated[here], decided[here], group[here], PRECISION, CERTAINTY)
            answered = made.answers(target, stated, decided)
            given += bool(answered.any())
            kept += _keeps(answered & ~here, truth, decided)
            kept_on_all += _keeps(answered, truth, decided)
            shares.append(answered[~here].mean())
        known = truth >= 0
        print(
            f"| {target.name} | {target.n_classes} | {(truth == decided)[known].mean():.3f} "
            f"| {given / RESPLITS:.1%} | {kept / RESPLITS:.1%} | {kept_on_all / RESPLITS:.1%} | {np.mean(shares):.0%} |"
        )


def _keeps(answered: np.ndarray, truth: np.ndarray, decided: np.ndarray) -> bool:
    """Whether enough of the answers are right where the truth is known; no answer breaks no promise."""
    counted = answered & (truth >= 0)
    return not counted.any() or (truth == decided)[counted].mean() >= PRECISION


def _draw(group: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """A mask of the images of so many of the groups, drawn at random."""
    groups = np.unique(group)
    return np.isin(group, groups[random.random(len(groups)) < share])
