"""Is a promise of precision kept as often as it is given? Re-splits of the data in the working folder.

    python -m benchmarks promises       after `dvc repro featurize`

A linear probe on the pooled features, trained on three tenths of the groups, stands for the model. The others are split
again and again: a fifth gives the promise, four fifths tell whether it is kept.
"""

from pathlib import Path

import numpy as np

from benchmarks.project import machine
from lacuna.abstention import promise
from lacuna.metrics import activate
from lacuna.params_file import load_params
from lacuna.simple_models import answer_with_probe
from lacuna.training_data import TrainingData

RESPLITS = 100
TRAINED, PROMISED = 0.3, 0.2
PRECISION, CERTAINTY = 0.95, 0.9


def promises(project: Path) -> None:
    """Print a Markdown table, a row per target."""
    data = TrainingData.open(project / "data", load_params(project / "params.yaml").train)
    manifest, random = data.manifest, np.random.default_rng(0)
    train = _draw(manifest.group, TRAINED, random)
    features = np.asarray(data.store.pooled[:, 0])[manifest.row]
    logits = answer_with_probe(
        data.targets, features[train], manifest.labels[train], manifest.group[train], features[~train], seed=0
    )
    labels, group = manifest.labels[~train], manifest.group[~train]
    splits = [_draw(group, PROMISED, random) for _ in range(RESPLITS)]
    print(f"\n{RESPLITS} re-splits of {len(labels):,} images, {machine()}\n")
    print(f"| target | classes | accuracy | promises of {PRECISION:.0%} given | kept or not given | cells answered |")
    print("|---|---|---|---|---|---|")
    for index, (target, columns) in enumerate(zip(data.targets, data.targets.slices, strict=True)):
        stated = activate(target, logits[:, columns])
        decided, truth = stated.argmax(axis=1).astype(np.int16), labels[:, index]
        given = kept = 0
        shares = []
        for here in splits:
            made = promise(target, truth[here], stated[here], decided[here], group[here], PRECISION, CERTAINTY)
            answered = made.answers(target, stated[~here], decided[~here])
            counted = answered & (truth[~here] >= 0)
            right = (truth == decided)[~here][counted]
            given += bool(answered.any())
            kept += not len(right) or right.mean() >= PRECISION
            shares.append(answered.mean())
        known = truth >= 0
        print(
            f"| {target.name} | {target.n_classes} | {(truth == decided)[known].mean():.3f} "
            f"| {given} | {kept} of {RESPLITS} | {np.mean(shares):.0%} |"
        )


def _draw(group: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """A mask of the images of so many of the groups, drawn at random."""
    groups = np.unique(group)
    return np.isin(group, groups[random.random(len(groups)) < share])
