import numpy as np
import pytest

from lacuna.config.blocks import Augment
from lacuna.features.augmentation import Augmentation
from lacuna.features.augmentation_draws import CHANGES, draw_changes, no_changes

OFF = Augment(
    views=4, horizontal_flip=False, vertical_flip=False, rotation=0.0, zoom=0.0, brightness=0.0, contrast=0.0,
    saturation=0.0, cutout=0.0, seed=0,
)  # fmt: skip
ALL = OFF.model_copy(
    update={
        "horizontal_flip": True, "vertical_flip": True, "rotation": 0.2, "zoom": 0.2,
        "brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "cutout": 0.25,
    }
)  # fmt: skip
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)


def change(image, cutout=0.0, **values):
    names = ("flip_x", "flip_y", "angle", "zoom", "brightness", "contrast", "saturation", "centre_x", "centre_y")
    drawn = no_changes(1)
    for name, value in values.items():
        drawn[0, names.index(name)] = value
    return np.asarray(Augmentation(cutout)([image[None], drawn]))[0]


def test_no_change_is_the_image_itself():
    np.testing.assert_array_equal(np.asarray(Augmentation(0.25)([IMAGES, no_changes(3)])), IMAGES)
    np.testing.assert_array_equal(draw_changes(OFF, IMAGES, 1), no_changes(3))


def test_flips_and_a_quarter_turn():
    image = IMAGES[0]
    np.testing.assert_array_equal(change(image, flip_x=-1), image[:, ::-1])
    np.testing.assert_array_equal(change(image, flip_y=-1), image[::-1])
    turned = change(image, angle=np.pi / 2)
    np.testing.assert_array_equal(turned, np.rot90(image, k=1))


def test_zoom_enlarges_about_the_centre():
    image = np.zeros((16, 16, 3), np.uint8)
    image[6:10, 6:10] = 255
    covered = (change(image, zoom=2.0)[..., 0] > 127).sum()
    assert covered == 64


def test_colour_jitter_by_hand():
    grey = np.full((16, 16, 3), 100, np.uint8)
    assert (change(grey, brightness=25.5) == 126).all()
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 100
    assert change(red, saturation=0.0)[0, 0].tolist() == [30, 30, 30]
    half = np.zeros((16, 16, 3), np.uint8)
    half[:8] = 200
    contrasted = change(half, contrast=0.5)
    assert contrasted[0, 0, 0] == 150
    assert contrasted[-1, 0, 0] == 50


def test_cutout_blanks_a_square_of_the_given_side():
    white = np.full((100, 100, 3), 255, np.uint8)
    blank = (change(white, cutout=0.3, centre_x=0.0, centre_y=0.0) == 127).all(axis=-1)
    assert blank.sum() == pytest.approx(30 * 30, rel=0.1)
    assert blank[50, 50]


def test_draws_depend_on_seed_view_and_content_only():
    together = draw_changes(ALL, IMAGES, 1)
    np.testing.assert_array_equal(together[::-1], draw_changes(ALL, IMAGES[::-1], 1))
    np.testing.assert_array_equal(together[1:2], draw_changes(ALL, IMAGES[1:2], 1))
    assert len(np.unique(together, axis=0)) == len(IMAGES)
    assert not np.array_equal(together, draw_changes(ALL, IMAGES, 2))
    assert not np.array_equal(together, draw_changes(ALL.model_copy(update={"seed": 1}), IMAGES, 1))


def test_draws_stay_in_their_ranges():
    images = np.random.default_rng(1).integers(0, 256, (500, 2, 2, 3), dtype=np.uint8)
    drawn = draw_changes(ALL, images, 1)
    assert drawn.shape == (500, CHANGES)
    assert set(np.unique(drawn[:, :2])) == {-1.0, 1.0}
    limits = [0.2 * 2 * np.pi, 0.2, 0.2 * 255, 0.2, 0.2]
    centres = [0, 1, 0, 1, 1]
    for column, limit, centre in zip(range(2, 7), limits, centres, strict=True):
        distance = np.abs(drawn[:, column] - centre)
        assert distance.max() <= limit + 1e-6
        assert distance.max() > 0.9 * limit
