"""Sheets and charts of very many classes or targets stay of a size that a person can read."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lacuna.analysis.explore.galleries import plot_means, plot_samples
from lacuna.analysis.explore.label_charts import plot_classes, plot_labels
from lacuna.analysis.explore.relation_charts import plot_association, plot_co_occurrence
from lacuna.analysis.explore.shown_classes import shown_classes
from lacuna.analysis.explore.subject import Subject
from lacuna.core.files_table import FileInfo
from lacuna.core.manifest import Manifest
from lacuna.core.targets import Target, Targets
from lacuna.presentation.thumbnails import plot_rows
from lacuna.stats.association import associate


def many(n: int, targets: Targets) -> Subject:
    """Two images of a group, of `n` classes and of many attributes, all of them in training."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (2 * n, 8, 8, 3), dtype=np.uint8)
    labels = random.integers(0, 2, (2 * n, len(targets))).astype(np.int16)
    labels[:, 0] = np.repeat(np.arange(n), 2)
    rows = np.arange(2 * n)
    names = np.array([f"{row}.png" for row in rows])
    manifest = Manifest(names, rows, np.array(["train"] * 2 * n), rows // 2, labels)
    files = [FileInfo(name, "PNG", "RGB", 8, 8, 100) for name in names.tolist()]
    return Subject.of(images, manifest, files, targets)


@pytest.mark.slow
def test_a_hundred_and_forty_classes_and_fifty_targets(tmp_path: Path) -> None:
    long_names = tuple(f"class with $ and a very long name {number}" for number in range(140))
    attributes = (Target(f"attribute number {number}", "binary", ("absent", "present")) for number in range(49))
    targets = Targets((Target("kind", "categorical", long_names), *attributes))
    subject = many(140, targets)
    labels = subject.manifest.labels
    plot_samples(tmp_path / "samples.png", subject, 0, 12)
    means = np.zeros((140, 8, 8, 3), np.float32)
    plot_means(tmp_path / "means.png", targets[0], means, np.arange(1, 141), np.ones((140, 140)), 12)
    plot_classes(tmp_path / "classes.png", [(targets[0], subject.counts[0])], 12)
    plot_labels(tmp_path / "labels.png", targets, subject.counts)
    plot_association(tmp_path / "association.png", associate(labels, targets), targets)
    plot_co_occurrence(tmp_path / "co_occurrence.png", labels, targets)
    for path in tmp_path.glob("*.png"):
        with Image.open(path) as image:
            assert 400 < image.width < 2000, path.name
            assert 200 < image.height < 2200, path.name


def test_frequent_and_rare_classes_are_shown_and_none_twice() -> None:
    counts = np.random.default_rng(0).integers(0, 50, 140).tolist()
    shown = shown_classes(counts, 12)
    assert len(shown.frequent) == 8
    assert len(shown.rarest) == 4
    everything = [*shown.frequent, *shown.rest, *shown.rarest]
    assert [counts[index] for index in everything] == sorted((n for n in counts if n), reverse=True)
    assert len(set(everything)) == len(everything)


def test_examples_are_of_different_groups_and_the_asked_part() -> None:
    targets = Targets((Target("kind", "categorical", ("boot", "hat")),))
    labels = np.zeros((30, 1), np.int16)
    split = np.where(np.arange(30) % 3 == 0, "val", np.where(np.arange(30) == 1, "test", "train"))
    names = np.array([f"{row}.png" for row in range(30)])
    manifest = Manifest(names, np.arange(30), split, np.arange(30) // 5, labels)
    files = [FileInfo(name, "PNG", "RGB", 8, 8, 100) for name in names.tolist()]
    subject = Subject.of(np.zeros((30, 8, 8, 3), np.uint8), manifest, files, targets)
    rows = subject.examples(0, 0, 10)
    assert sorted(rows // 5) == list(range(6))
    assert subject.examples(0, 0, 3).tolist() == rows[:3].tolist()
    assert all(split[row] == "train" for row in subject.examples(0, 0, 10, part="train"))
    assert 1 not in subject.manifest.row


def test_pictures_stand_in_the_rows_of_their_names(tmp_path: Path) -> None:
    red, blue = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint8)
    red[..., 0], blue[..., 2] = 255, 255
    plot_rows(tmp_path / "rows.png", "title", [("red", [red, red], "black"), ("blue", [blue], "black")])
    with Image.open(tmp_path / "rows.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    reds, blues = (np.argwhere((abs(pixels - colour) < 9).all(axis=2)) for colour in ((255, 0, 0), (0, 0, 255)))
    assert reds[:, 0].max() < blues[:, 0].min()
    assert len(reds) == pytest.approx(2 * len(blues), rel=0.05)
