import numpy as np

from lacuna.core.working_image import Origin, measure_light
from lacuna.inference.drift_reference import Properties


def test_light_is_measured_without_the_padding() -> None:
    picture = np.full((8, 8, 3), 255, np.uint8)
    picture[2:6] = [60, 30, 0]
    assert measure_light(picture, 8, 4, "pad") == (30, 0, 60)
    assert measure_light(picture, 8, 4, "stretch") == (142.5, 112.5, 30)


def test_properties_are_named_as_they_are() -> None:
    properties = Properties.of([Origin("GIF", "P", 7, 5, 90)], [(10.0, 20.0, 30.0)])
    assert {name: values.tolist() for name, values in properties.categorical.items()} == {
        "format": ["GIF"],
        "mode": ["P"],
    }
    assert [values.tolist() for values in properties.numeric.values()] == [[7], [5], [90], [10], [20], [30]]
