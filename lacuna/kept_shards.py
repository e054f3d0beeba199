"""What `python -m lacuna cache` shows and removes: shards of images and features, and solved heads, in `runs/cache`.

Everything there can be computed again, and no out depends on it.
"""

import contextlib
import json
import shutil
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from lacuna.errors import LacunaError
from lacuna.io.shard_cache import RECEIPT_FILE
from lacuna.io.text_table import align
from lacuna.io.turns import take_turn

KEEPERS = {"images": "ingest", "features": "featurize", "heads": "train_warmup"}
"""The stage that keeps shards of a kind."""

DAY = 86_400

ROUNDED = 0.1
"""By so many seconds may a run have begun earlier than its record tells, which is rounded and written after the end."""


class KeptShard(NamedTuple):
    """A folder below `runs/cache`, of images, features or a head.

    bytes: what its files take. used: when a stage used it last, in seconds since 1970; 0 of one that was never
    finished. current: whether the last run of its stage used it, or no run has ended since.
    """

    folder: Path
    kind: str
    bytes: int
    used: float
    current: bool


def find_kept(runs: Path) -> list[KeptShard]:
    """What is kept below the folder `runs` of a project, by kind and then the latest first."""
    found = []
    for kind, stage in KEEPERS.items():
        began = _last_run_began(runs / f"{stage}.json")
        for folder in (runs / "cache" / kind).glob("*/*"):
            if not folder.is_dir():
                continue
            files = [path.stat() for path in folder.iterdir()]
            receipt = folder / RECEIPT_FILE
            used = receipt.stat().st_mtime if receipt.exists() and not folder.suffix else 0.0
            found.append(KeptShard(folder, kind, sum(file.st_size for file in files), used, used >= max(began, 1)))
    return sorted(found, key=lambda shard: (list(KEEPERS).index(shard.kind), -shard.used, shard.folder))


def _last_run_began(record: Path) -> float:
    """When the last run of a stage began that came to its end, in seconds since 1970; 0 where there is none."""
    try:
        return record.stat().st_mtime - float(json.loads(record.read_bytes())["seconds"]) - ROUNDED
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def describe_kept(shards: Sequence[KeptShard]) -> str:
    """A table with a line for each kind and day of last use, and what could be removed."""
    groups: dict[tuple[str, str, str], list[KeptShard]] = defaultdict(list)
    for shard in shards:
        day = time.strftime("%Y-%m-%d", time.localtime(shard.used)) if shard.used else "never finished"
        last = f"by the last {KEEPERS[shard.kind]}" if shard.current else "no more"
        groups[shard.kind, last, day].append(shard)
    rows = [(kind, str(len(inside)), in_megabytes(inside), last, day) for (kind, last, day), inside in groups.items()]
    return align([("kept", "shards", "MB", "used", "last used"), *rows], left=(0, 3, 4))


def in_megabytes(shards: Sequence[KeptShard]) -> str:
    """What shards take, in millions of bytes.

    >>> in_megabytes([KeptShard(Path("a"), "images", 1_234_567_890, 0.0, False)])
    '1,235'
    """
    return f"{sum(shard.bytes for shard in shards) / 1e6:,.0f}"


def prune(runs: Path, older_than: float) -> list[KeptShard]:
    """Remove what the last runs did not use and nobody has used for `older_than` days; return what was removed.

    Raises LacunaError while a stage is at work, here or in a temporary experiment.
    """
    with take_turn(runs / "locks", "`python -m lacuna cache --prune`", wait=False):
        _refuse_beside_stages(runs.resolve().parent)
        before = time.time() - older_than * DAY
        removed = [shard for shard in find_kept(runs) if not shard.current and shard.used <= before]
        for shard in removed:
            shutil.rmtree(shard.folder)
            with contextlib.suppress(OSError):
                shard.folder.parent.rmdir()  # where it was the last of its recipe
    return removed


def _refuse_beside_stages(root: Path) -> None:
    """Temporary experiments use the same shards, and have a lock of their own."""
    for process in psutil.process_iter(["pid", "cmdline", "cwd"]):
        stage = next((word for word in process.info["cmdline"] or [] if word.startswith("stages.")), "")
        if stage and process.info["cwd"] and Path(process.info["cwd"]).is_relative_to(root):
            raise LacunaError(f"{stage} is at work in this project (process {process.pid}); try again later")
