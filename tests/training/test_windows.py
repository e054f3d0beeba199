import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lacuna.training import windows
from lacuna.training.batches import FeatureBatches
from lacuna.training.windows import draw_windows, read_batches


@pytest.fixture
def small(monkeypatch):
    """Windows of 40 bytes, from runs of 5."""
    monkeypatch.setattr(windows, "WINDOW_BYTES", 40)
    monkeypatch.setattr(windows, "RUN_BYTES", 5)


@given(n=st.integers(0, 300), row_bytes=st.integers(1, 60), batch_size=st.integers(1, 50))
def test_windows_of_whole_batches_that_fit_into_memory_hold_each_row_once(n, row_bytes, batch_size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "WINDOW_BYTES", 400)
        patch.setattr(windows, "RUN_BYTES", 30)
        drawn = draw_windows(n, row_bytes, batch_size, np.random.default_rng(0))
    assert sorted(row for window in drawn for row in window.tolist()) == list(range(n))
    assert all(len(window) % batch_size == 0 for window in drawn[:-1])
    assert all(len(window) <= batch_size or len(window) * row_bytes <= 400 for window in drawn)


def test_what_fits_one_window_is_permuted_as_a_whole():
    (drawn,) = draw_windows(1500, 20_000, 32, np.random.default_rng([3, 1]))
    np.testing.assert_array_equal(drawn, np.random.default_rng([3, 1]).permutation(1500))


def test_a_window_is_made_of_runs_from_everywhere_and_mixes_them(small):
    drawn = draw_windows(200, 1, 8, np.random.default_rng(0))
    assert [len(window) for window in drawn] == [40] * 5
    for window in drawn:
        runs, counts = np.unique(window // 5, return_counts=True)
        assert counts.tolist() == [5] * 8
        assert (runs // 5).tolist() == list(range(8))  # of 40 runs one in five
        assert len(np.unique(window[:8] // 5)) > 2  # a batch is of several runs


def test_each_window_is_read_from_front_to_back_and_of_it_what_this_process_computes(small):
    values, asked = np.arange(200) * 10, []

    def read(rows):
        asked.append(rows)
        return [values[rows]]

    def every_other(n):
        return np.arange(0, n, 2)

    drawn = draw_windows(200, 1, 8, np.random.default_rng(0))
    batches = list(read_batches(drawn, 8, every_other, read))
    np.testing.assert_array_equal(np.concatenate([rows for rows, _ in batches]), np.concatenate(drawn))
    for rows, (array,) in batches:
        assert array.tolist() == (rows[::2] * 10).tolist()
    for rows, window in zip(asked, drawn, strict=True):
        np.testing.assert_array_equal(rows, np.sort(window[::2]))


def test_what_cannot_be_read_ends_the_epoch(small):
    def read(rows):
        if 7 in rows:
            raise OSError("disk")
        return [rows]

    with pytest.raises(OSError, match="disk"):
        list(read_batches(draw_windows(200, 1, 8, np.random.default_rng(0)), 8, np.arange, read))


def test_epochs_in_windows_bring_every_image_in_one_of_its_views_and_derive_from_seed_and_epoch(small):
    features = np.arange(100 * 4, dtype=np.float16).reshape(100, 4, 1)
    batches = FeatureBatches((features,), np.arange(1, 100, 3), batch_size=4, seed=0)
    chosen, inputs = map(np.concatenate, zip(*batches.epoch(1), strict=True))
    assert sorted(chosen) == list(range(33))
    assert (inputs[:, 0] // 4 == batches.rows[chosen]).all()
    assert set(inputs[:, 0] % 4) == {0, 1, 2, 3}
    again, other = (np.concatenate([x for _, x in batches.epoch(epoch)]) for epoch in (1, 2))
    assert inputs.tolist() == again.tolist() != other.tolist()


def test_which_runs_meet_in_a_window_is_random(small):
    first, second = (draw_windows(200, 1, 8, np.random.default_rng([0, epoch]))[0] // 5 for epoch in (1, 2))
    assert set(first.tolist()) != set(second.tolist())
