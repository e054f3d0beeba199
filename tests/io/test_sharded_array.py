"""Rows in several files, read as one array."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lacuna.errors import LacunaError
from lacuna.io.sharded_array import ShardedArray, checksum, open_rows, shard_name
from tests.shards import save_rows

N = 11
WHOLE = np.random.default_rng(0).integers(0, 100, (N, 3, 4))
rows = st.lists(st.integers(-N, N - 1), max_size=30).map(lambda found: np.array(found, np.int64))
ends = st.lists(st.integers(0, N), max_size=5).map(sorted)


def sharded(at: list[int]) -> ShardedArray:
    return ShardedArray(np.split(WHOLE, at))


@given(ends, rows)
def test_rows_are_those_of_the_whole_array(at: list[int], chosen: np.ndarray) -> None:
    array = sharded(at)
    assert (array.shape, array.dtype, array.ndim, len(array)) == (WHOLE.shape, WHOLE.dtype, 3, N)
    second = np.arange(len(chosen)) % 3
    for key in (chosen, (chosen, 1), (chosen, second), (chosen, slice(None), 2), (chosen, slice(0, 2), slice(1, 3))):
        np.testing.assert_array_equal(array[key], WHOLE[key])
    np.testing.assert_array_equal(array[:, 1, 1:][chosen], WHOLE[:, 1, 1:][chosen])
    np.testing.assert_array_equal(np.asarray(array), WHOLE)
    np.testing.assert_array_equal(list(array), WHOLE)


@given(ends, st.slices(N), st.integers(-N, N - 1))
def test_slices_numbers_and_truth_values(at: list[int], some: slice, row: int) -> None:
    array, truth = sharded(at), WHOLE[:, 0, 0] > 50
    np.testing.assert_array_equal(array[some], WHOLE[some])
    np.testing.assert_array_equal(array[some, 1], WHOLE[some, 1])
    np.testing.assert_array_equal(array[row], WHOLE[row])
    np.testing.assert_array_equal(array[row, 2], WHOLE[row, 2])
    np.testing.assert_array_equal(array[truth], WHOLE[truth])


@pytest.mark.parametrize("key", [N, -N - 1, [0, N], [-N - 1], [True, False]])
def test_a_row_that_is_not_there_is_an_error(key: object) -> None:
    with pytest.raises(IndexError):
        sharded([4])[key]


def test_files_are_memory_mapped_and_a_run_of_rows_in_one_is_no_copy(tmp_path: Path) -> None:
    save_rows(tmp_path, WHOLE, (5, 5))  # the shard in the middle is empty
    array = open_rows(tmp_path)
    np.testing.assert_array_equal(np.asarray(array), WHOLE)
    assert np.shares_memory(array[0:5], array[2])
    assert np.shares_memory(array[:, 1:][6], array[6])
    with pytest.raises(ValueError, match="read-only"):
        array[2][:] = 0


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([shard_name(0, 2)], "expected 00000-of-00002.npy to 00001-of-00002.npy, found 1 of them"),
        ([shard_name(0, 1), shard_name(1, 2)], "found 2 of them"),
        (["images.npy"], "expected files like 00000-of-00017.npy, found 0"),
        ([], "found 0"),
    ],
)
def test_a_shard_too_few_is_named(tmp_path: Path, files: list[str], message: str) -> None:
    for name in files:
        np.save(tmp_path / name, WHOLE)
    with pytest.raises(LacunaError, match=message):
        open_rows(tmp_path)


def test_the_checksum_tells_other_values(tmp_path: Path) -> None:
    save_rows(tmp_path / "a", WHOLE)
    save_rows(tmp_path / "b", WHOLE)
    assert checksum(tmp_path / "a") == checksum(tmp_path / "b")
    save_rows(tmp_path / "b", WHOLE + 1)
    assert checksum(tmp_path / "a") != checksum(tmp_path / "b")


@pytest.mark.skipif(sys.platform == "win32", reason="knows no such limit")
def test_more_shards_than_a_process_may_open_unless_it_asks(tmp_path: Path) -> None:
    import resource

    save_rows(tmp_path, np.arange(60.0).reshape(30, 2), tuple(range(1, 30)))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    above = max(int(path.name) for path in Path("/dev/fd").iterdir()) + 1
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (above + 10, limits[1]))
        assert open_rows(tmp_path)[29].tolist() == [58, 59]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_it_is_sent_to_another_process_by_the_path_of_its_folder(tmp_path: Path) -> None:
    save_rows(tmp_path / "rows", WHOLE, (4, 7))
    array = open_rows(tmp_path / "rows")
    sent = pickle.dumps(array)
    assert len(sent) < 500 < WHOLE.nbytes
    np.testing.assert_array_equal(np.asarray(pickle.loads(sent)), WHOLE)
    np.testing.assert_array_equal(np.asarray(pickle.loads(pickle.dumps(array[:, 1:]))), WHOLE[:, 1:])
