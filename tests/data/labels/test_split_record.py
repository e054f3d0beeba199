"""The record of the split knows each content's part in each split, whatever came in between."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from lacuna.core.manifest import PARTS
from lacuna.data.labels.split import MOST_KEPT, NOT_GIVEN
from lacuna.data.labels.split_record import SplitRecord

SPLITS = st.lists(st.tuples(st.sampled_from("ab"), st.lists(st.tuples(st.integers(0, 9), st.sampled_from(MOST_KEPT)))))


def hashes(contents: list[int]) -> pa.Array:
    return pa.array([content.to_bytes(2, "big") * 16 for content in contents], pa.binary(32))


@given(SPLITS, st.integers(0, 300))
def test_it_holds_what_a_dictionary_would(splits: list[tuple[str, list[tuple[int, int]]]], step: int) -> None:
    record, expected = SplitRecord(), dict[str, dict[int, int]]()
    for name, images in splits:
        contents = [content * step for content, _ in images]
        parts = [part for _, part in images]
        record = record.with_split(name, hashes(contents), np.array(parts, dtype=np.int8))
        best = dict[int, int]()
        for content, part in zip(contents, parts, strict=True):
            best[content] = min(part, best.get(content, part), key=MOST_KEPT.index)
        expected[name] = expected.get(name, {}) | best
    every = [content * step for content in range(10)]
    for name in "abc":
        found = record.find(name, hashes(every)).tolist()
        assert found == [expected.get(name, {}).get(content, NOT_GIVEN) for content in every]
    rising = record.sha256.to_pylist()
    assert rising == sorted(set(rising))


def test_the_same_content_gives_the_same_file_and_comes_back(tmp_path: Path) -> None:
    part = np.array([2, 0, 1], dtype=np.int8)
    one = SplitRecord().with_split("b", hashes([7, 3, 5]), part).with_split("a, c", hashes([4]), part[:1])
    other = SplitRecord().with_split("a, c", hashes([4]), part[:1]).with_split("b", hashes([5, 7, 3]), part[[2, 0, 1]])
    for name, record in (("one.csv", one), ("other.csv", other)):
        record.save(tmp_path / name)
    text = (tmp_path / "one.csv").read_text()
    assert text == (tmp_path / "other.csv").read_text()
    assert text == (
        f'sha256,"a, c",b\n{"0003" * 16},,train\n{"0004" * 16},test,\n{"0005" * 16},,val\n{"0007" * 16},,test\n'
    )
    loaded = SplitRecord.load(tmp_path / "one.csv")
    assert loaded.sha256.equals(one.sha256)
    assert {name: column.tolist() for name, column in loaded.parts.items()} == {
        "a, c": [-1, 2, -1, -1],
        "b": [PARTS.index("train"), -1, PARTS.index("val"), PARTS.index("test")],
    }


def test_a_split_that_is_dealt_anew_leaves_the_others_as_they_were() -> None:
    part = np.array([2, 0], dtype=np.int8)
    record = SplitRecord().with_split("a", hashes([1, 2]), part).with_split("b", hashes([1, 2]), part[::-1])
    anew = record.without("b")
    assert anew.find("b", hashes([1, 2])).tolist() == [NOT_GIVEN, NOT_GIVEN]
    assert anew.find("a", hashes([1, 2])).tolist() == [2, 0]
