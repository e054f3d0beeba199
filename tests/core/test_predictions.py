import numpy as np
import pytest

from lacuna.core.predictions import Predictions
from lacuna.errors import LacunaError
from tests.simulated_predictions import simulate


def test_saved_predictions_come_back_and_have_the_same_bytes(tmp_path):
    written = simulate(20, signal=1, seed=0)
    one, other = tmp_path / "one.npz", tmp_path / "two.npz"
    written.save(one)
    Predictions.load(one).save(other)
    assert one.read_bytes() == other.read_bytes()
    read = Predictions.load(other)
    for name in ("logits", "labels", "image", "group"):
        assert (getattr(read, name) == getattr(written, name)).all()


def test_rows_must_match():
    with pytest.raises(ValueError, match="as many logits"):
        Predictions(np.zeros((2, 1), np.float32), np.zeros((1, 1), np.int16), np.array(["a"]), np.zeros(1, np.int64))


@pytest.mark.parametrize("content", [None, b"", b"junk", "truncated", "pickle", "diverged"])
def test_unusable_files_are_named(tmp_path, content):
    path = tmp_path / "val.npz"
    good = simulate(5, signal=1, seed=0)
    if content == "truncated":
        good.save(path)
        path.write_bytes(path.read_bytes()[:-40])
    elif content == "pickle":
        np.savez(path, logits=good.logits, labels=good.labels, group=good.group, image=good.image.astype(object))
    elif content == "diverged":
        Predictions(good.logits * np.nan, good.labels, good.image, good.group).save(path)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(LacunaError, match=r"val\.npz"):
        Predictions.load(path)
