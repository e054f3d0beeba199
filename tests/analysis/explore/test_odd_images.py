"""Images planted among ordinary ones are listed with what is odd about them, and no others."""

import numpy as np

from lacuna.analysis.explore.odd_images import find_odd_images


def find(brightness: list[float], spread: list[float], shapes: list[tuple[int, int]]) -> dict[str, str]:
    names = [f"{number}.png" for number in range(len(brightness))]
    rows = 2 * np.arange(len(names))
    found = find_odd_images(
        names, rows, np.array(shapes), np.array(brightness, np.float32), np.array(spread, np.float32), 3.0
    )
    assert [one.row for one in found] == [2 * names.index(one.image) for one in found]
    return {one.image: one.reason for one in found}


def test_each_kind_of_oddness() -> None:
    ordinary = np.random.default_rng(0).uniform(100, 140, 60).tolist()
    shapes = [(80, 60)] * 60 + [(90, 30), (89, 30), (20, 90), (40, 40), (40, 40), (40, 40)]
    found = find(
        [*ordinary, 120, 120, 120, 120, 2, 254],
        [50] * 60 + [50, 50, 50, 4.9, 50, 0],
        shapes,
    )
    assert found == {
        "60.png": "aspect ratio 90 : 30",
        "62.png": "aspect ratio 20 : 90",
        "63.png": "nearly one colour",
        "64.png": found["64.png"],
        "65.png": found["65.png"],
    }
    assert found["64.png"].startswith("dark: brightness 0.01, half of the images 0.4")
    assert found["65.png"].startswith("nearly one colour; bright: brightness 1.00, half of the images 0.4")


def test_images_that_are_all_alike_are_not_odd() -> None:
    assert find([200] * 20 + [205, 195], [30] * 22, [(10, 10)] * 22) == {}


def test_dark_and_light_images_side_by_side_are_not_odd() -> None:
    assert find([20] * 10 + [235] * 10, [30] * 20, [(10, 10)] * 20) == {}
