import numpy as np

from lacuna.core.pixels import correlate


def test_likeness_of_mean_images_by_hand() -> None:
    """Classes that share one picture are told apart by what each has more or less than the mean of all."""
    shared = 100 + 50 * np.sin(np.arange(12, dtype=np.float32)).reshape(2, 2, 3)
    ramp = np.arange(12, dtype=np.float32).reshape(2, 2, 3) - 5.5
    means = np.stack([shared + ramp, shared + 2 * ramp, shared - 3 * ramp, shared, shared + ramp])
    found = correlate(means, np.array([9, 9, 9, 9, 4]), 5)
    np.testing.assert_allclose(found[:3, :3], [[1, 1, -1], [1, 1, -1], [-1, -1, 1]], atol=1e-4)
    assert np.isnan(found[3:]).all()  # like the mean of all, and of too few images
    assert np.isnan(found[:, 3:]).all()


def test_frequent_classes_count_more_in_the_mean_of_all() -> None:
    """Of the mean at 1: classes at 0, 2 and 4 with 6, 3 and 1 images depart by -1, 1 and 3 times the ramp."""
    ramp = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    found = correlate(np.stack([0 * ramp, 2 * ramp, 4 * ramp]), np.array([6, 3, 1]), 1)
    np.testing.assert_allclose(found, [[1, -1, -1], [-1, 1, 1], [-1, 1, 1]], atol=1e-6)


def test_two_classes_always_depart_in_opposite_ways_and_are_not_compared() -> None:
    ramp = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    assert np.isnan(correlate(np.stack([ramp, ramp**2, ramp]), np.array([9, 9, 1]), 5)).all()
