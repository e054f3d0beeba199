"""What `python -m lacuna cache` shows and removes, after real runs of ingest."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import stages.ingest
from lacuna.cli import main
from lacuna.io.sharded_array import list_shards
from stages._run import run

STAGE = """
import sys

from stages._run import run

def work(params):
    print("began", flush=True)
    sys.stdin.read(1)

run("explore", work)
"""

DAY = 86_400


@pytest.fixture
def ingest(tiny_project: Any) -> Any:
    """A function that runs the stage in a project of twelve images, with other parameters where they are named."""
    Path("photos").mkdir()
    for number in range(12):
        Image.new("RGB", (9, 9), (20 * number, 0, 0)).save(f"photos/{number}.png")

    def run_with(**changes: Any) -> None:
        tiny_project({"data.path": "photos", "data.image_size": 32, **{f"data.{key}": changes[key] for key in changes}})
        for receipt in kept():
            os.utime(receipt, (time.time() - 3 * DAY,) * 2)
        run("ingest", stages.ingest.ingest)

    return run_with


def kept() -> list[Path]:
    return sorted(Path("runs/cache/images").rglob("receipt.json"))


def test_nothing_is_kept_before_a_run(tiny_project: Any, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_project({})
    assert main(["cache"]) == 0
    assert capsys.readouterr().out == "nothing is kept in runs/cache\n"
    assert main(["cache", "--prune"]) == 0
    assert capsys.readouterr().out == "0 shards removed, 0 MB\n"


def test_what_the_last_run_used_stays_and_the_rest_goes(ingest: Any, capsys: pytest.CaptureFixture[str]) -> None:
    ingest()
    (first,) = kept()
    ingest(image_size=400)
    capsys.readouterr()
    assert main(["cache"]) == 0
    printed = capsys.readouterr().out
    assert [line.split()[:3] for line in printed.splitlines()[1:3]] == [["images", "1", "6"], ["images", "1", "0"]]
    assert "by the last ingest" in printed.splitlines()[1]
    assert "no more" in printed.splitlines()[2]
    assert "`python -m lacuna cache --prune` removes 1 of them" in printed
    assert main(["cache", "--prune", "--older-than", "4"]) == 0
    assert len(kept()) == 2
    assert main(["cache", "--prune", "--older-than", "2"]) == 0
    assert len(kept()) == 1
    assert not first.exists()
    assert len(list_shards(Path("data/images/pixels"))) == 1
    main(["cache", "--prune"])
    assert len(kept()) == 1


def test_before_a_run_has_ended_everything_may_be_needed(ingest: Any) -> None:
    ingest()
    ingest(image_size=40)
    Path("runs/ingest.json").unlink()  # as a killed run leaves it
    unfinished = kept()[0].parent.with_name("0123.456789.partial")
    unfinished.mkdir()
    (unfinished.parent / ".DS_Store").touch()  # a file manager's
    main(["cache", "--prune"])
    assert len(kept()) == 2
    assert not unfinished.exists()


@pytest.mark.parametrize("place", [".", ".dvc/tmp/exps/temporary"])
def test_beside_a_stage_nothing_is_removed(
    ingest: Any, capsys: pytest.CaptureFixture[str], repository: Path, place: str
) -> None:
    ingest()
    ingest(image_size=40)
    Path(place).mkdir(parents=True, exist_ok=True)
    if place != ".":
        shutil.copy("params.yaml", place)
    stage = subprocess.Popen(
        [sys.executable, "-c", STAGE, "stages.explore"], cwd=place,
        env={**os.environ, "PYTHONPATH": str(repository)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert stage.stdout is not None
    assert stage.stdout.readline() == "began\n"
    assert main(["cache", "--prune"]) == 1
    assert f"process {stage.pid}" in capsys.readouterr().err
    assert len(kept()) == 2
    stage.communicate("x")
    assert main(["cache", "--prune"]) == 0
    assert len(kept()) == 1
