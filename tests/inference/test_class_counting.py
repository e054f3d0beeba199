"""`count` and `predict --adapt` on pictures of one colour, whose redness says with mistakes whether they are red."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from lacuna.calibration.model import Calibration
from lacuna.cli import main
from lacuna.core.predictions import Predictions
from tests.tiny_bundle import CALIBRATION, SIZE, write_tiny_bundle

DEVIATION = 0.15
SLOPE = 0.3 / DEVIATION**2
"""Of the log odds of two normal distributions whose means, .35 and .65, are .3 apart."""


def redness(present, generator):
    return np.clip(0.35 + 0.3 * present + DEVIATION * generator.normal(size=len(present)), 0, 1)


@pytest.fixture
def folder(tmp_path):
    """A function that makes a bundle, and a folder of pictures of which this share is red."""

    def make(n, share):
        generator = np.random.default_rng(0)
        labels = np.stack([np.arange(600) % 2, np.arange(600) % 2], axis=1).astype(np.int16)
        labels[::5, 1] = -1
        red = redness(np.arange(600) % 2, generator)
        other = generator.random(600)
        logits = np.stack([other, 1 - other, red], axis=1).astype(np.float32)
        names, group = np.array([f"{row}.png" for row in range(600)]), np.arange(600)
        calibrated = replace(
            CALIBRATION.targets["red"], scale=SLOPE, bias=(-SLOPE / 2,), threshold=0.5, population="all"
        )
        calibration = Calibration({**CALIBRATION.targets, "red": calibrated})
        validation = Predictions(logits, labels, names, group)
        write_tiny_bundle(tmp_path / "bundle", calibration=calibration, validation=validation)
        truth = (np.arange(n) < share * n).astype(int)
        (tmp_path / "images").mkdir()
        for row, level in enumerate(redness(truth, generator)):
            green = generator.integers(0, 256)
            pixels = np.full((SIZE, SIZE, 3), (round(255 * level), green, 255 - green), np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"images/{row:03}.png")
        return [str(tmp_path / "images"), "--bundle", str(tmp_path / "bundle")]

    return make


def test_counts_are_those_of_the_images_and_not_of_the_decisions(folder, capsys):
    assert main(["count", *folder(400, 0.1), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    red = found["targets"]["red"]["present"]
    assert found["images"] == 400
    assert red["low"] <= 40 <= red["high"]
    assert red["high"] - red["low"] < 60
    assert red["decided"] > 70
    assert red["count"] + found["targets"]["red"]["absent"]["count"] == pytest.approx(400, abs=1)


def test_the_table_says_it_line_by_line(folder, capsys):
    assert main(["count", *folder(60, 0.5)]) == 0
    printed = capsys.readouterr().out
    assert "60 images, counted against the labelled validation images of " in printed
    (line,) = [line for line in printed.splitlines() if line.startswith("red") and " present " in line]
    assert " to " in line
    assert "colour: the counts say next to nothing, their intervals leave more than half of all" in printed
    assert "red: the counts" not in printed


def test_images_that_are_no_mixture_of_the_classes_are_not_counted(folder, capsys, tmp_path):
    arguments = folder(200, 0.5)
    for path in (tmp_path / "images").iterdir():
        Image.new("RGB", (SIZE, SIZE), (127, int(path.stem) % 256, 90)).save(path)
    main(["count", *arguments])
    assert "red: not counted: these images are unlike the labelled ones in more than" in capsys.readouterr().out


def test_too_few_images_are_refused(folder, capsys):
    assert main(["count", *folder(19, 0.5)]) == 1
    said = "error: classes are counted among at least 20 images that can be read, received 19\n"
    assert capsys.readouterr().err.endswith(said)


def test_adapted_decisions_are_right_more_often_and_say_what_they_took(folder, capsys):
    arguments = folder(400, 0.1)
    called = {}
    for extra in ((), ("--adapt",)):
        assert main(["predict", *arguments, "--json", *extra]) == 0
        printed = capsys.readouterr()
        images = json.loads(printed.out)["images"]
        called[extra] = np.array([image["targets"]["red"]["detected"] for image in images])
    truth = np.arange(400) < 40
    assert (called[("--adapt",)] == truth).mean() > (called[()] == truth).mean() + 0.03
    assert "red: decided as where " in printed.err


@pytest.mark.parametrize(
    ("extra", "reason"),
    [(("--min-precision", "0.9"), "leave one of them out"), (("-",), "name a CSV file of paths")],
)
def test_what_cannot_be_adapted_is_refused(folder, capsys, extra, reason):
    assert main(["predict", "--adapt", *extra, *folder(30, 0.5)]) == 1
    assert reason in capsys.readouterr().err
