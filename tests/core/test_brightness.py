"""Brightness is that of the picture, not of the white around it, in all stages alike."""

import numpy as np
import pytest

from lacuna.analysis.audit.metadata import describe_files
from lacuna.analysis.explain.slices import partition_images
from lacuna.analysis.explore.pixels import measure_pixels
from lacuna.core.files_table import read_files
from lacuna.core.pixels import brightness
from lacuna.core.targets import Target, Targets
from lacuna.core.working_image import content_box
from lacuna.io.csv_files import write_csv

SIZE, N = 100, 24
TARGETS = Targets((Target("red", "binary", ("absent", "present")),))
LEVELS = np.linspace(10, 240, N).round().astype(np.uint8)
SHAPES = np.array([((400, 100), (100, 400), (200, 200))[place % 3] for place in range(N)])


@pytest.fixture
def images():
    """Pictures of one grey each, from dark to light, the wide and high ones padded with white: most of their pixels."""
    padded = np.full((N, SIZE, SIZE, 3), 255, np.uint8)
    for image, level, (width, height) in zip(padded, LEVELS, SHAPES.tolist(), strict=True):
        top, left, bottom, right = content_box(width, height, SIZE, "pad")
        image[top:bottom, left:right] = level
    return padded


@pytest.fixture
def files(tmp_path):
    header = ("image", "row", "group", "format", "mode", "width", "height", "bytes")
    rows = [(f"{n}.png", n, n, "PNG", "RGB", *SHAPES[n].tolist(), 500) for n in range(N)]
    write_csv(tmp_path / "files.csv", header, rows)
    return tmp_path / "files.csv"


def test_a_padded_dark_image_is_dark(images, files):
    rows = np.arange(N)
    assert brightness(images, rows, read_files(files), "pad").tolist() == LEVELS.tolist()
    assert brightness(images, rows, read_files(files), "stretch")[0] == images[0, ::2, ::2].mean()


def test_audit_orders_images_by_their_own_brightness(images, files):
    columns = describe_files(files, np.arange(N), images, "pad")["brightness"]
    assert columns.argmax(axis=1).tolist() == (np.arange(N) * 8 // N).tolist()


def test_explain_cuts_by_the_same(images, files):
    rows = np.arange(N)
    labels = np.zeros((N, 1), np.int16)
    partitions = partition_images(TARGETS, labels, read_files(files), images, rows, "pad")
    (by_light,) = (partition for partition in partitions if partition.by == "brightness")
    assert by_light.member.tolist() == (np.arange(N) * 3 // N).tolist()


def test_explore_draws_the_same(images):
    rows = np.arange(N)
    measured = measure_pixels(images, rows, SHAPES, np.zeros((N, 1), np.int16), TARGETS, "pad")
    assert measured.brightness.tolist() == LEVELS.tolist()
    assert (measured.spread == 0).all()
