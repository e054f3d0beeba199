"""Every chart of the exploration that has something to show."""

from pathlib import Path

from lacuna.analysis.explore.findings import Findings
from lacuna.analysis.explore.image_charts import plot_files, plot_pixels
from lacuna.analysis.explore.label_charts import plot_classes, plot_labels, plot_missing_by_class, plot_patterns
from lacuna.analysis.explore.missingness import missing_patterns, notable
from lacuna.analysis.explore.relation_charts import plot_association, plot_co_occurrence, plot_together
from lacuna.analysis.explore.subject import Subject


def draw_charts(folder: Path, subject: Subject, found: Findings, most: int, alpha: float) -> None:
    """Draw into `folder`; `most` classes of a target are shown. A chart that would be empty is left out."""
    labels, targets = subject.manifest.labels, subject.targets
    plot_labels(folder / "labels.png", targets, subject.counts)
    categorical = [pair for pair in zip(targets, subject.counts, strict=True) if pair[0].kind == "categorical"]
    if categorical:
        plot_classes(folder / "classes.png", categorical, most)
    if found.associations:
        plot_association(folder / "association.png", found.associations, targets)
    if len(targets) > 1:
        plot_co_occurrence(folder / "co_occurrence.png", labels, targets)
    if (labels < 0).any():
        plot_patterns(folder / "missing_patterns.png", missing_patterns(labels, targets))
    if found.together:
        plot_together(folder / "missing_together.png", found.together, targets)
    dependences = notable(found.by_class, alpha)
    if dependences:
        plot_missing_by_class(folder / "missing_by_class.png", dependences, labels, targets, most)
    plot_pixels(folder / "pixels.png", found.pixels.histogram, found.pixels.brightness)
    plot_files(folder / "files.png", subject.files)
