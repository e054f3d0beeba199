"""Predictions of a network that never was: labels with gaps, copies that share a group, logits with a known signal."""

from dataclasses import replace

import numpy as np

from lacuna.config.blocks import Calibrate, Evaluate
from lacuna.core.predictions import Predictions
from lacuna.core.relations import Relation
from lacuna.core.targets import Target, Targets

KIND = Target("kind", "categorical", ("bag", "shoe", "hat"))
RED = Target("red", "binary", ("absent", "present"))
OLD = Target("old", "binary", ("absent", "present"))
TARGETS = Targets((KIND, RED, OLD))
PREVALENCE = {"red": 0.3, "old": 0.15}

CALIBRATE = Calibrate(
    rule="expected_f1",
    rules={},
    logit_adjustment=0.0,
    min_recall=0.9,
    min_precision=0.9,
    cost_false_positive=1.0,
    cost_false_negative=5.0,
    threshold=0.5,
    min_positives=10,
    consistent=True,
    folds=5,
    seed=0,
)
EVALUATE = Evaluate(population="all", bootstrap=100, confidence=0.95, top_k=2, seed=0)


def simulate(n, *, signal, seed, targets=TARGETS, unknown=0.3, copies=0.2):
    """Predictions of n images, of which the share `copies` repeats another's labels and nearly its logits."""
    generator = np.random.default_rng(seed)
    originals = n - int(n * copies)
    group = np.concatenate([np.arange(originals), generator.integers(0, originals, n - originals)])
    labels = np.empty((n, len(targets)), np.int16)
    logits = np.empty((n, targets.n_logits), np.float32)
    for index, (target, columns) in enumerate(zip(targets, targets.slices, strict=True)):
        noise = generator.normal(size=(originals, target.n_logits))[group]
        noise += 0.2 * generator.normal(size=noise.shape)
        if target.kind == "binary":
            truth = (generator.random(originals) < PREVALENCE[target.name]).astype(int)[group]
            logits[:, columns] = signal * (truth[:, None] - 0.5) + noise
        else:
            truth = generator.integers(0, target.n_classes, originals)[group]
            logits[:, columns] = signal * np.eye(target.n_classes)[truth] + noise
        labels[:, index] = np.where(generator.random(n) < unknown, -1, truth)
    return Predictions(logits, labels, np.array([f"{seed}_{row}.jpg" for row in range(n)]), group.astype(np.int64))


FAMILY = Target("family", "categorical", ("hat", "shoe", "bag"))
ARTICLE = Target("article", "categorical", ("cap", "boot", "sandal", "purse", "satchel", "beret"))
RELATION = Relation(
    "article",
    "family",
    {"cap": "hat", "beret": "hat", "boot": "shoe", "sandal": "shoe", "purse": "bag", "satchel": "bag"},
    1.0,
)
TIED = Targets((FAMILY, RED, ARTICLE))


def simulate_tied(n, *, signal, seed, unknown=0.3):
    """As `simulate`, of targets of which the article determines the family, with independent noise on both."""
    loose = simulate(n, signal=signal, seed=seed, targets=TIED, unknown=0)
    families = [FAMILY.classes.index(RELATION.classes[name]) for name in ARTICLE.classes]
    labels, logits = loose.labels.copy(), loose.logits.copy()
    labels[:, 0] = np.array(families)[labels[:, 2]]
    truth = np.eye(3)[labels[:, 0]] - np.eye(3)[loose.labels[:, 0]]
    logits[:, :3] += (signal * truth).astype(np.float32)
    labels[np.random.default_rng([seed, 1]).random(labels.shape) < unknown] = -1
    return Predictions(logits, labels, loose.image, loose.group)


def selected(n, seed, present=0.8, absent=0.2, targets=TARGETS):
    """Predictions whose labels are known with these chances if present or absent, and with all their labels."""
    whole = simulate(n, signal=2.5, seed=seed, unknown=0, targets=targets)
    chances = np.where(whole.labels == 1, present, absent)
    hidden = np.random.default_rng([seed, 1]).random(chances.shape) >= chances
    return replace(whole, labels=np.where(hidden, -1, whole.labels).astype(np.int16)), whole
