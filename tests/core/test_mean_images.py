import numpy as np

from lacuna.core.pixels import correlate


def test_likeness_of_mean_images_by_hand() -> None:
    ramp = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    means = np.stack([ramp, 2 * ramp + 5, -ramp, np.full_like(ramp, 3), ramp])
    found = correlate(means, np.array([9, 9, 9, 9, 4]), 5)
    np.testing.assert_allclose(found[:3, :3], [[1, 1, -1], [1, 1, -1], [-1, -1, 1]], atol=1e-9)
    assert np.isnan(found[3:]).all()  # of one value, and of too few images
    assert np.isnan(found[:, 3:]).all()
