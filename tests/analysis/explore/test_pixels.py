"""Figures of pixels by hand: padding left out, classes apart, whatever the size of the chunks."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lacuna.analysis.explore import pixels
from lacuna.analysis.explore.pixels import measure_pixels
from lacuna.core.targets import Target, Targets
from lacuna.core.working_image import content_box
from lacuna.data.images.decode import decode

TARGETS = Targets((Target("kind", "categorical", ("bag", "shoe", "hat")), Target("red", "binary", ("no", "yes"))))


@pytest.mark.parametrize(("width", "height"), [(64, 16), (17, 64), (64, 64), (1, 500), (333, 97)])
def test_the_content_box_is_where_ingest_puts_the_picture(width: int, height: int) -> None:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "black").save(file, "PNG")
    image = decode(file.getvalue(), size=40, resize="pad", max_pixels=10**6)
    top, left, bottom, right = content_box(width, height, 40, "pad")
    assert (image[top:bottom, left:right] == 0).all()
    assert (image == 0).all(axis=2).sum() == (bottom - top) * (right - left)


def test_figures_by_hand_without_the_padding() -> None:
    images = np.full((3, 8, 8, 3), 255, np.uint8)
    images[0, 2:6] = (10, 20, 30)  # twice as wide as high
    images[1, :, :4], images[1, :, 4:] = 0, 100
    images[2] = 7
    shapes = np.array([[200, 100], [50, 50], [9, 9]])
    labels = np.array([[0, 1], [0, -1], [2, 0]], np.int16)
    found = measure_pixels(images, np.arange(3), shapes, labels, TARGETS, "pad")
    assert found.histogram.sum(axis=1).tolist() == [32 + 64 + 64] * 3
    assert found.histogram[:, 7].tolist() == [64, 64, 64]
    assert found.histogram[1, 20] == 32
    assert found.histogram[:, 255].sum() == 0
    np.testing.assert_allclose(found.brightness, [20, 50, 7])
    np.testing.assert_allclose(found.spread, [0, 50, 0], atol=1e-4)
    kind, red = found.means
    np.testing.assert_allclose(kind[0], images[:2].mean(axis=0))
    np.testing.assert_allclose(kind[2], 7)
    assert (kind[1] == 0).all()
    np.testing.assert_allclose(red[1], images[0])
    assert [count.tolist() for count in found.counts] == [[2, 0, 1], [1, 1]]


def test_large_images_are_averaged_in_blocks_and_chunks_do_not_matter(monkeypatch: Any) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (11, 130, 130, 3), dtype=np.uint8)
    rows, shapes = np.array([9, 2, 3, 5, 7]), np.full((5, 2), 130)
    labels = np.array([[0, 1], [0, 1], [1, 0], [1, -1], [-1, 1]], np.int16)
    whole = measure_pixels(images, rows, shapes, labels, TARGETS, "pad")
    blocks = images[[9, 2], :129, :129].reshape(2, 43, 3, 43, 3, 3).mean(axis=(0, 2, 4))
    np.testing.assert_allclose(whole.means[0][0], blocks, rtol=1e-4)
    monkeypatch.setattr(pixels, "READ_BYTES", 1)
    one_by_one = measure_pixels(images, rows, shapes, labels, TARGETS, "pad")
    np.testing.assert_array_equal(whole.histogram, one_by_one.histogram)
    np.testing.assert_array_equal(whole.spread, one_by_one.spread)
    np.testing.assert_allclose(whole.means[0], one_by_one.means[0], rtol=1e-5)
