"""A heat map over its image, by hand."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from lacuna.presentation.overlay import AGAINST, FOR, MOST_OPAQUE, PADDING, overlay
from lacuna.presentation.style import BLUE, ORANGE

WHITE = np.full((4, 4, 3), 255, np.uint8)


def shade(colour, strength):
    """White, covered by so much of a colour."""
    return [round(255 * (1 - strength) + channel * strength) for channel in colour]


def test_the_colours_are_those_of_the_charts():
    assert tuple(round(255 * channel) for channel in to_rgb(ORANGE)) == FOR
    assert tuple(round(255 * channel) for channel in to_rgb(BLUE)) == AGAINST


def test_for_against_and_nothing():
    heat = np.zeros((4, 4), np.float32)
    heat[0, 0], heat[0, 1], heat[0, 2] = 2, -1, 1
    found = overlay(WHITE, heat)
    assert found[0, 0].tolist() == shade(FOR, MOST_OPAQUE)
    assert found[0, 1].tolist() == shade(AGAINST, MOST_OPAQUE / 2)
    assert found[0, 2].tolist() == shade(FOR, MOST_OPAQUE / 2)
    assert found[3, 3].tolist() == [255, 255, 255]


def test_one_scale_for_many_maps():
    """What is stronger than the scale is no more opaque than its end."""
    heat = np.full((4, 4), 3, np.float32)
    assert overlay(WHITE, heat, 6)[0, 0].tolist() == shade(FOR, MOST_OPAQUE / 2)
    assert overlay(WHITE, heat, 1.5)[0, 0].tolist() == overlay(WHITE, heat)[0, 0].tolist() == shade(FOR, MOST_OPAQUE)


@pytest.mark.parametrize("strongest", [None, 0.0])
def test_a_map_of_nothing_leaves_the_pale_grey_image(strongest):
    black = np.zeros((4, 4, 3), np.uint8)
    assert (overlay(black, np.zeros((2, 2), np.float32), strongest) == 102).all()


def test_padding_has_no_colour_and_sets_no_scale():
    """The picture is the lower half; the map is hottest above it."""
    heat = np.array([[9, 9, 9, 9], [9, 9, 9, 9], [0, 1, 0, 0], [0, 0, 0, -1]], np.float32)
    found = overlay(WHITE, heat, box=(2, 0, 4, 4))
    assert (found[:2] == PADDING).all()
    assert found[2, 1].tolist() == shade(FOR, MOST_OPAQUE)
    assert found[3, 3].tolist() == shade(AGAINST, MOST_OPAQUE)
    assert found[2, 0].tolist() == [255, 255, 255]


def test_a_coarse_map_is_spread_over_the_image():
    found = overlay(np.full((8, 8, 3), 255, np.uint8), np.array([[1, 0], [0, 0]], np.float32))
    assert found[0, 0].tolist() == shade(FOR, MOST_OPAQUE)
    blue = found[:, 0, 2].astype(int)
    assert (np.diff(blue) >= 0).all()
    assert found[7, 7].tolist() == [255, 255, 255]
