"""The tables of the exploration, as CSV files: what the charts show in part, in full."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.analysis.explore.findings import Findings
from lacuna.analysis.explore.missingness import Dependence, Together, missing_patterns
from lacuna.analysis.explore.odd_images import OddImage
from lacuna.analysis.explore.subject import Counts, Subject
from lacuna.core.files_table import FileInfo
from lacuna.core.manifest import PARTS
from lacuna.core.targets import UNKNOWN, Targets
from lacuna.io.csv_files import write_csv
from lacuna.io.spreadsheets import write_sheet
from lacuna.stats.association import Association, co_occurrences
from lacuna.stats.numbers import rounded


def write_tables(folder: Path, subject: Subject, found: Findings) -> None:
    """Write every table into `folder`."""
    labels, targets = subject.manifest.labels, subject.targets
    _write_counts(folder / "counts.csv", targets, subject.counts)
    _write_unknown(folder / "unknown.csv", labels, targets)
    _write_associations(folder / "association.csv", found.associations)
    _write_co_occurrences(folder / "co_occurrence.csv", labels, targets)
    _write_together(folder / "missing_together.csv", found.together)
    _write_by_class(folder / "missing_by_class.csv", found.by_class)
    _write_patterns(folder / "missing_patterns.csv", missing_patterns(labels, targets))
    _write_pixels(folder / "pixels.csv", found.pixels.histogram)
    _write_files(folder, subject.files)
    _write_likeness(folder / "mean_images.csv", targets, found.likeness)
    write_sheet(folder / "odd.csv", OddImage._fields, found.odd)


def _write_counts(path: Path, targets: Targets, counts: Sequence[Counts]) -> None:
    """Images per target, class and part. `class` is empty for the images whose label is unknown; those of too rare a
    class are in no row."""
    rows = []
    for target, count in zip(targets, counts, strict=True):
        for name, cells in zip([*target.classes, ""], count.T.tolist(), strict=True):
            rows.append((f"{target.name}: {name or '(unknown)'}", target.name, name, *cells, sum(cells)))
    write_csv(path, ("label", "target", "class", *PARTS, "images"), rows)


def _write_unknown(path: Path, labels: NDArray[np.int16], targets: Targets) -> None:
    shares = (labels == UNKNOWN).mean(axis=0)
    rows = [
        (name, rounded(share), int(share * len(labels) + 0.5))
        for name, share in zip(targets.names, shares, strict=True)
    ]
    write_csv(path, ("target", "unknown", "images"), rows)


def _write_associations(path: Path, found: Sequence[Association]) -> None:
    rows = [(f"{a.one} and {a.other}", a.one, a.other, a.measure, rounded(a.value), a.n) for a in found]
    write_csv(path, ("pair", "one", "other", "measure", "value", "images"), rows)


def _write_co_occurrences(path: Path, labels: NDArray[np.int16], targets: Targets) -> None:
    rows = ((*cell, rounded(cell.images / cell.of)) for cell in co_occurrences(labels, targets))
    write_csv(path, ("target", "class", "other", "other_class", "images", "of", "share"), rows)


def _write_together(path: Path, found: Sequence[Together]) -> None:
    rows = [(f"{t.one} and {t.other}", t.one, t.other, rounded(t.phi), *t[3:6], _p(t.p), _p(t.p_holm)) for t in found]
    head = ("pair", "one", "other", "phi", "both_unknown", "one_only", "other_only", "p", "p_holm")
    write_csv(path, head, rows)


def _write_by_class(path: Path, found: Sequence[Dependence]) -> None:
    rows = [
        (f"{d.target} by {d.given}", d.target, d.given, rounded(d.effect), _p(d.p), _p(d.p_holm), *d[5:]) for d in found
    ]
    head = ("pair", "target", "given", "effect", "p", "p_holm")
    write_csv(path, (*head, "class", "images", "unknown", "other_images", "other_unknown"), rows)


def _write_patterns(path: Path, patterns: Iterable[tuple[tuple[str, ...], int]]) -> None:
    write_csv(path, ("unknown", "images"), ((" + ".join(gone) or "nothing", n) for gone, n in patterns))


def _write_pixels(path: Path, histogram: NDArray[np.int64]) -> None:
    """The share of the pixels at each intensity of each channel."""
    shares = histogram / np.maximum(histogram.sum(axis=1, keepdims=True), 1)
    rows = ((value, *map(rounded, cells)) for value, cells in enumerate(shares.T.tolist()))
    write_csv(path, ("intensity", "red", "green", "blue"), rows)


def _write_files(folder: Path, files: Sequence[FileInfo]) -> None:
    """`sizes.csv` and `formats.csv`: images by width and height, and by format and mode; the commonest first."""
    sizes = Counter((file.width, file.height) for file in files)
    formats = Counter((file.format, file.mode) for file in files)
    for name, head, counts in (
        ("sizes", ("width", "height"), sizes),
        ("formats", ("format", "mode"), formats),
    ):
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        write_csv(folder / f"{name}.csv", (*head, "images"), ((*key, n) for key, n in ordered))


def _write_likeness(path: Path, targets: Targets, likeness: Sequence[NDArray[np.float64]]) -> None:
    """How alike every two classes of a target depart from the mean of all images, where they have enough of them."""
    rows = (
        (target.name, target.classes[one], target.classes[other], rounded(alike[one, other]))
        for target, alike in zip(targets, likeness, strict=True)
        for one in range(target.n_classes)
        for other in range(one + 1, target.n_classes)
        if not np.isnan(alike[one, other])
    )
    write_csv(path, ("target", "one", "other", "correlation"), rows)


def _p(value: float) -> str:
    """A p-value to three significant digits, because how small a small one is matters."""
    return f"{value:.3g}"
