"""Kept entries: found whole or not at all, also where several processes keep and link the same at once."""

import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lacuna.io.shard_cache import RECEIPT_FILE, ShardCache


def write(folder: Path) -> list[dict[str, int]]:
    np.save(folder / "a.npy", np.arange(1000))
    return [{"bits": 8}, {"bits": 16}]


def keep(folder: Path) -> Path:
    return ShardCache(folder, "recipe").keep("key", ("one", "two"), write).folder


def test_what_was_kept_is_found_with_its_notes(tmp_path: Path) -> None:
    keep(tmp_path)
    entry = ShardCache(tmp_path, "recipe").find("key")
    assert entry is not None
    assert (list(entry.rows), list(entry.notes)) == (["one", "two"], [{"bits": 8}, {"bits": 16}])
    assert ShardCache(tmp_path, "other").find("key") is None


@pytest.mark.parametrize(
    "change",
    [
        {"files": {}},
        {"rows": []},
        {"notes": [{"bits": 8}]},
        {"rows": ["one", "three"]},
        {"files": {}, "rows": [], "notes": []},
    ],
)
def test_a_receipt_that_was_changed_counts_for_nothing(tmp_path: Path, change: dict[str, Any]) -> None:
    receipt = keep(tmp_path) / RECEIPT_FILE
    receipt.write_text(json.dumps(json.loads(receipt.read_text()) | change))
    assert ShardCache(tmp_path, "recipe").find("key") is None
    keep(tmp_path)
    assert ShardCache(tmp_path, "recipe").find("key") is not None


def keep_and_link(folder: Path, number: int) -> None:
    for attempt in range(60):
        cache = ShardCache(folder / "kept", "recipe")
        entry = cache.keep("key", ("one", "two"), write)
        entry.link("a.npy", folder / f"{number}/{attempt}.npy")


def test_keepers_of_the_same_do_not_take_it_from_each_other(tmp_path: Path) -> None:
    """As parallel experiments do, which share what is kept: an entry that one links from stays where it is."""
    with ProcessPoolExecutor(4, get_context("fork")) as pool:
        list(pool.map(keep_and_link, [tmp_path] * 4, range(4)))
    assert len(list(tmp_path.glob("[0-9]/*.npy"))) == 240
    assert len({path.stat().st_ino for path in tmp_path.glob("[0-9]/*.npy")}) == 1
