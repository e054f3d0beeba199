"""What shuffling in windows saves in reading, and what it costs in learning, where images that lie together are alike.

    python -m benchmarks shuffling --images 50000

Reading: maps of 19 kB, that many, in shards of 1,024, seven tenths of them drawn; the page cache is emptied before each
pass, and orders take turns. Learning: made-up features of 10 and of 200 classes, 20,000 rows sorted by class, a small
network by Adam for three epochs; a window holds a tenth of the rows, from few or from many runs. Minutes on two cores.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.io.sharded_array import list_shards, open_rows, shard_name
from lacuna.io.text_table import align
from lacuna.training import windows
from lacuna.training.windows import RowNumbers, draw_windows

MAP, SHARD_ROWS, DRAWN, REPEATS, BATCH = (7, 7, 192), 1024, 0.7, 5, 32
ROW_BYTES = 2 * 7 * 7 * 192
FEW, COLUMNS, LEARNED, EPOCHS = 3000, 64, 20_000, 3
UNITS, RATE = 64, 1e-3
RUNS = (16, 64, 256)

Labelled = tuple[NDArray[np.float32], NDArray[np.int64]]


def shuffling(images: int, seeds: int) -> None:
    """Print rates of reading, and validation log losses after learning."""
    with tempfile.TemporaryDirectory() as folder:
        rates = measure_reading(Path(folder), images)
    print(f"{images:,} maps, {images * ROW_BYTES / 1e9:.1f} GB; medians of {REPEATS} passes")
    rows = [(name, *(f"{np.median(of):.0f}" for of in np.transpose(found))) for name, found in rates.items()]
    print(align([("order", "MB/s", "MB per processor second"), *rows]))
    for classes in (10, 200):
        x, y = make_up(classes)
        print(f"\n{classes} classes, log loss on validation after {EPOCHS} epochs, {seeds} seeds")
        print(align([("a window's runs", "log loss", "more than permuted as a whole"), *measure_learning(x, y, seeds)]))


def measure_reading(folder: Path, images: int) -> dict[str, list[tuple[float, float]]]:
    """MB a second, and a processor second, of each pass, by order."""
    random = np.random.default_rng(0)
    for number in range(images // SHARD_ROWS):
        maps = random.integers(0, 2**15, (SHARD_ROWS, 1, *MAP), np.uint16)
        np.save(folder / shard_name(number, images // SHARD_ROWS), maps.view(np.float16))
    drawn = np.flatnonzero(random.random(images // SHARD_ROWS * SHARD_ROWS) < DRAWN)

    def at_random(random: np.random.Generator) -> Iterable[RowNumbers]:
        return np.split(random.permutation(drawn)[:FEW], range(BATCH, FEW, BATCH))

    def in_windows(random: np.random.Generator) -> Iterable[RowNumbers]:
        return (drawn[np.sort(window)] for window in draw_windows(len(drawn), ROW_BYTES, BATCH, random))

    orders: dict[str, Callable[[np.random.Generator], Iterable[RowNumbers]]] = {
        "random rows": at_random,
        "windows": in_windows,
        "front to back": lambda random: np.array_split(drawn, 20),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in orders}
    for repeat in range(REPEATS):
        for name, order in orders.items():
            forget_pages(folder)
            array, read = open_rows(folder), 0
            start, start_processor = time.perf_counter(), time.process_time()
            for rows in order(np.random.default_rng(repeat)):
                read += array[rows, np.zeros(len(rows), np.int64)].nbytes
            seconds, processor = time.perf_counter() - start, time.process_time() - start_processor
            found[name].append((read / seconds / 1e6, read / processor / 1e6))
            del array  # pages of an open map stay
    return found


def forget_pages(folder: Path) -> None:
    """Have the system read the shards of a folder from disk the next time."""
    os.sync()
    for path in list_shards(folder):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def make_up(classes: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Features (n, COLUMNS) of classes that overlap, and their classes (n,)."""
    random = np.random.default_rng(classes)
    y = random.integers(0, classes, LEARNED + 5000)
    centres = random.normal(size=(classes, COLUMNS)) * 3 / np.sqrt(COLUMNS)
    return (centres[y] + random.normal(size=(len(y), COLUMNS))).astype(np.float32), y


def measure_learning(x: NDArray[np.float32], y: NDArray[np.int64], seeds: int) -> list[tuple[str, str, str]]:
    """By the runs of a window: the mean log loss of the last quarter of rows, and its paired difference."""
    n = len(x) * 4 // 5
    order = np.argsort(y[:n], kind="stable")
    training, validation = (x[:n][order], y[:n][order]), (x[n:], y[n:])
    whole = np.array([learn(training, validation, n, 1, seed) for seed in range(seeds)])
    rows = [("whole", f"{whole.mean():.4f}", "")]
    for runs in RUNS:
        losses = np.array([learn(training, validation, n // 10, n // 10 // runs, seed) for seed in range(seeds)])
        more = losses - whole
        error = more.std(ddof=1) / np.sqrt(seeds)
        rows.append((str(runs), f"{losses.mean():.4f}", f"{more.mean():+.4f} ± {error:.4f}"))
    return rows


def learn(training: Labelled, validation: Labelled, window: int, run: int, seed: int) -> float:
    """The log loss on validation of a network with a hidden layer, whose rows came in windows and runs of so many."""
    (x, y), (x_val, y_val) = training, validation
    windows.WINDOW_BYTES, windows.RUN_BYTES = window, run  # of rows of one byte
    random, n_classes = np.random.default_rng(seed), int(y.max()) + 1
    shapes = ((x.shape[1], UNITS), (UNITS, n_classes))
    weights = [(random.normal(size=shape) / np.sqrt(shape[0])).astype(np.float32) for shape in shapes]
    first, second = ([np.zeros_like(weight) for weight in weights] for _ in range(2))
    step = 0
    for epoch in range(EPOCHS):
        for rows in draw_windows(len(x), 1, BATCH, np.random.default_rng([seed, epoch])):
            for start in range(0, len(rows), BATCH):
                batch, step = rows[start : start + BATCH], step + 1
                hidden = np.maximum(x[batch] @ weights[0], 0)
                errors = (softmax(hidden @ weights[1]) - np.eye(n_classes, dtype=np.float32)[y[batch]]) / len(batch)
                gradients = x[batch].T @ ((errors @ weights[1].T) * (hidden > 0)), hidden.T @ errors
                rate = RATE * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)  # Adam
                for weight, gradient, m, v in zip(weights, gradients, first, second, strict=True):
                    m += 0.1 * (gradient - m)
                    v += 0.001 * (gradient**2 - v)
                    weight -= (rate * m / (np.sqrt(v) + 1e-7)).astype(np.float32)
    probabilities = softmax(np.maximum(x_val @ weights[0], 0) @ weights[1])
    return float(-np.log(probabilities[np.arange(len(y_val)), y_val]).mean())


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities (n, n_classes)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
