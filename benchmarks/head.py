"""Passes, processor seconds and peak memory of the exact head, on features made up on disk.

python -m benchmarks head --rows 400000 --columns 2912
"""

import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.project import ROOT, machine
from lacuna.config.load import load_params
from lacuna.core.targets import Target, Targets
from lacuna.io.sharded_array import open_rows, shard_name
from lacuna.training.exact_head import solve_head
from lacuna.training.exact_target import TargetProblem
from lacuna.training.standard_rows import StandardRows
from lacuna.training.statistics import TargetStatistics
from lacuna.training.streamed_head import PART_ROWS, SumsOfPart, is_streamed

SHARD_ROWS, DIRECTIONS, UNKNOWN_SHARE = 50_000, 200, 0.4
TARGETS = Targets(tuple(Target(name, "binary", ("no", "yes")) for name in ("frequent", "rare")))
BIAS = (0.0, -4.0)
PARTS = 3


class CountedRows:
    """An array whose rows are counted when they are read."""

    def __init__(self, array: Any) -> None:
        self._array, self.shape, self.read = array, array.shape, 0

    def __getitem__(self, key: Any) -> Any:
        found = self._array[key]
        self.read += len(found)
        return found


def head(n_rows: int, columns: int) -> None:
    """Print a Markdown table: two binary targets, one frequent and one rare, two fifths of their labels unknown."""
    with tempfile.TemporaryDirectory() as parent:
        labels = _write_features(Path(parent), n_rows, columns)
        features = CountedRows(open_rows(Path(parent)))
        train, everything = load_params(ROOT / "params.yaml").train, np.arange(n_rows)
        statistics = [TargetStatistics(1 - UNKNOWN_SHARE, (1, 1), (1.0, 1.0)) for _ in TARGETS]
        with AnonymousPeak() as peak:
            start = time.process_time()
            solved = solve_head(features, everything, labels, everything, TARGETS, statistics, train, {}, 0)
            seconds = time.process_time() - start
        read = features.read / n_rows
        rows = StandardRows(features, everything, solved.head.mean, solved.head.scale)
        problems = [TargetProblem(target, labels[:, i], np.ones(2), None, 0.0, 0) for i, target in enumerate(TARGETS)]
        points = [np.zeros((columns + 1, 1)) for _ in TARGETS]
        with threadpool_limits(1):
            start = time.process_time()
            SumsOfPart(rows, problems, points)(slice(0, min(PARTS * PART_ROWS, n_rows)))
            each = (time.process_time() - start) / min(PARTS * PART_ROWS, n_rows)
    way = "passes" if is_streamed(n_rows, columns) else "in memory"
    print(f"{machine()}\n\n| rows, columns | solved | rows read | processor s | of them a pass | peak memory, MiB |")
    print("|---|---|---|---|---|---|")
    print(
        f"| {n_rows:,}, {columns:,} | {way} | {read:.1f} times | {seconds:.0f} | {each * n_rows:.0f} | {peak.mib:.0f} |"
    )


class AnonymousPeak:
    """The most anonymous memory of this process while the block runs, in MiB: a memory map's pages do not count."""

    mib = 0.0

    def __enter__(self) -> "AnonymousPeak":
        self._over = threading.Event()
        self._watching = threading.Thread(target=self._watch)
        self._watching.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watching.join()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            lines = Path("/proc/self/status").read_text().splitlines()
            now = next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
            self.mib = max(self.mib, now / 1024)


def _write_features(folder: Path, n_rows: int, columns: int) -> NDArray[np.int16]:
    """Rows with strong directions and weak ones, as features of networks have; returns labels that follow them."""
    random = np.random.default_rng(0)
    strength = np.arange(1, DIRECTIONS + 1, dtype=np.float32) ** -0.5
    across = random.normal(size=(DIRECTIONS, columns)).astype(np.float32) * strength[:, None]
    told, labels = random.normal(size=(DIRECTIONS, len(TARGETS))), np.empty((n_rows, len(TARGETS)), np.int16)
    starts = range(0, n_rows, SHARD_ROWS)
    for number, start in enumerate(starts):
        size = min(SHARD_ROWS, n_rows - start)
        inner = random.standard_normal((size, DIRECTIONS), np.float32)
        shard = inner @ across
        shard += random.standard_normal(shard.shape, np.float32)
        logits = (inner * strength) @ told + np.array(BIAS) + random.logistic(size=(size, len(TARGETS)))
        labels[start : start + size] = logits > 0
        np.save(folder / shard_name(number, len(starts)), shard[:, None])
    labels[random.random(labels.shape) < UNKNOWN_SHARE] = -1
    return labels
