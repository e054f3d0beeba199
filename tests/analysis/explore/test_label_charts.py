"""The picture of the labels by part tells classes apart, also where every image has a label."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from lacuna.analysis.explore.label_charts import CLASS_COLOURS, MOST_IN_BAR, RARER, plot_labels
from lacuna.core.targets import Target, Targets
from lacuna.presentation.style import GREY


def area(path: Path, colour: str) -> int:
    pixels = np.asarray(Image.open(path).convert("RGB"))
    return int((pixels == np.round(255 * np.array(to_rgb(colour)))).all(axis=-1).sum())


def test_a_bar_without_gaps_shows_the_shares_of_its_classes(tmp_path: Path) -> None:
    """Two classes of 3 to 1: a bar in one colour would say nothing."""
    targets = Targets((Target("kind", "categorical", ("rare", "common")),))
    plot_labels(tmp_path / "labels.png", targets, [np.array([[50, 150, 0]] * 3)])
    common, rare = (area(tmp_path / "labels.png", colour) for colour, _ in CLASS_COLOURS)
    assert common / rare == pytest.approx(3, rel=0.15)  # the text in the bars covers a little
    assert area(tmp_path / "labels.png", RARER) == 0


def test_rarer_classes_are_taken_together(tmp_path: Path) -> None:
    """Eight classes of which two are left over, with a quarter of the images of the six that are shown."""
    classes = tuple(f"c{number}" for number in range(MOST_IN_BAR + 2))
    counts = np.array([[20] * MOST_IN_BAR + [15, 15, 0]] * 3)
    plot_labels(tmp_path / "labels.png", Targets((Target("kind", "categorical", classes),)), [counts])
    shown = sum(area(tmp_path / "labels.png", colour) for colour, _ in CLASS_COLOURS)
    assert area(tmp_path / "labels.png", RARER) / shown == pytest.approx(30 / 120, rel=0.15)


def test_classes_too_narrow_for_their_names_are_named_below_the_bar(tmp_path: Path) -> None:
    """The names are grey, as some edges of letters are; where each stands in its bar there is nothing below."""
    wide = Targets((Target("kind", "categorical", ("rare", "common")),))
    plot_labels(tmp_path / "wide.png", wide, [np.array([[80, 120, 0]] * 3)])
    narrow = Targets((Target("kind", "categorical", tuple(f"class {number}" for number in range(6))),))
    plot_labels(tmp_path / "narrow.png", narrow, [np.array([[20] * 6 + [0]] * 3)])
    assert area(tmp_path / "narrow.png", GREY) > 4 * area(tmp_path / "wide.png", GREY)
