"""Does `count` hold the true number of images of a class? Folders with other shares than validation, simulated.

    python -m benchmarks counts

A network's scores of 600 labelled validation images, half of them present, and of folders of 300 images of which 5 to
80 % are. Beside the interval of `count` stand the errors of what people count otherwise: decisions, and the sum of
probabilities. A minute on one core.
"""

import numpy as np

from lacuna.io.text_table import align
from lacuna.stats.class_counts import estimate_shares

FOLDERS, REFERENCE, IMAGES = 200, 600, 300
SHARES = (0.05, 0.2, 0.5, 0.8)
SIGNALS = (1.0, 2.0, 3.0)
"""How far the scores of both classes lie apart, in standard deviations."""


def draw(truth: np.ndarray, signal: float, generator: np.random.Generator) -> np.ndarray:
    """Probabilities (n, 2) that are right where half of the images are present."""
    score = signal * truth + generator.normal(size=len(truth))
    present = 1 / (1 + np.exp(signal**2 / 2 - signal * score))
    return np.stack([1 - present, present], axis=1)


def counts(folders: int = FOLDERS) -> None:
    """Print a row for each signal and share: how often the 95 % interval holds the count, and mean errors."""
    rows = [("signal", "present", "held", "width", "error of count", "of decisions", "of probabilities")]
    every = []
    for signal in SIGNALS:
        for share in SHARES:
            found = np.array([one_folder(signal, share, seed) for seed in range(folders)])
            held, width, *errors = found.mean(axis=0)
            every.append(held)
            shown = (f"{error:+.1f}" for error in errors)
            rows.append((f"{signal:g}", f"{share:.0%}", f"{held:.1%}", f"{width:.0f}", *shown))
    print(f"{folders} folders of {IMAGES} images each, against {REFERENCE} labelled ones, half of them present")
    print(align(rows))
    print(f"The intervals held {np.mean(every):.1%} of the counts (95% intended).")


def one_folder(signal: float, share: float, seed: int) -> tuple[float, float, float, float, float]:
    """Whether the interval holds the count, its width in images, and the errors of three ways to count."""
    generator = np.random.default_rng([seed, round(100 * share), round(10 * signal)])
    known = generator.integers(0, 2, REFERENCE)
    truth = (generator.random(IMAGES) < share).astype(int)
    chances = draw(truth, signal, generator)
    found = estimate_shares(draw(known, signal, generator), known, np.arange(REFERENCE), chances, 0.95, 200, seed)
    low, high, true = IMAGES * found.low[1], IMAGES * found.high[1], truth.sum()
    ways = IMAGES * found.shares[1], (chances[:, 1] >= 0.5).sum(), chances[:, 1].sum()
    return low - 0.5 <= true <= high + 0.5, high - low, *(float(way - true) for way in ways)
