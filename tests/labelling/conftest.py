"""A project of six pictures whose labels and predictions can be worked out by hand."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lacuna.core.manifest import Manifest
from lacuna.io.csv_files import write_csv
from tests.tiny_bundle import TARGETS, write_tiny_bundle

NAMES = ("a b/1.png", "a b/2.png", "3.png", "50%&é.png", "5.png", "6.png")
COLOURS = ((255, 0, 51), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (255, 0, 0))
LABELS = ((-1, -1), (0, -1), (1, 1), (-1, 0), (0, 0), (1, 1))
"""Of colour (green, blue) and red (absent, present)."""

BEGINNING = ("image", "target", "given", "corrected", "suggested")


@pytest.fixture
def project(tiny_project, tmp_path):
    """The working folder, as the stages prepare, audit and bundle leave it; returns the parameters."""
    changes = {"data.path": "photos", "data.targets": {"colour": "categorical", "red": "binary"}}
    params = tiny_project(changes)
    for name, colour in zip(NAMES, COLOURS, strict=True):
        Path("photos", name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), colour).save(Path("photos", name))
    Path("data/prepared").mkdir(parents=True)
    TARGETS.save(Path("data/prepared/targets.json"))
    rows = np.arange(len(NAMES))
    split = np.array(["train", "val", "test"] * 2)
    Manifest(np.array(NAMES), rows, split, rows, np.array(LABELS, dtype=np.int16)).save(
        Path("data/prepared/manifest.csv"), TARGETS
    )
    Path("data/audit").mkdir()
    write_to_label([("a b/2.png", "red", "NA", "", "", 0.99), ("a b/1.png", "colour", "NA", "", "blue", 0.5)])
    issues = [("6.png", "colour", "blue", "", "green", 0.1), ("a b/2.png", "colour", "green", "", "blue", 0.2)]
    write_csv(Path("data/audit/label_issues.csv"), (*BEGINNING, "quality"), issues)
    Path("corrections").mkdir()
    write_tiny_bundle(Path("models/bundle"))
    return params


def write_to_label(rows):
    write_csv(Path("data/audit/to_label.csv"), (*BEGINNING, "value"), rows)
