"""A disk that is full or closed: one clear line, and nothing that looks whole."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHANGES = {"data.path": "pictures", "data.image_size": 256}


def can_mount() -> bool:
    """Whether this system lets a user mount a small disk in a namespace of its own."""
    command = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs none /mnt"]
    return shutil.which("unshare") is not None and subprocess.run(command, capture_output=True).returncode == 0


def in_namespace(mount: str) -> tuple[str, ...]:
    """The words before a command that run it where `mount` was done."""
    return ("unshare", "-rm", "sh", "-c", f'{mount} && "$@"; code=$?; find data -type f >&2; exit $code', "sh")


@pytest.mark.slow
@pytest.mark.skipif(not can_mount(), reason="needs a user namespace in which to mount a small disk")
@pytest.mark.parametrize(
    ("mount", "message"),
    [
        ("mount -t tmpfs -o size=1m none data", "the disk is full"),
        ("mount -t tmpfs -o ro none data", "the file system is read-only"),
    ],
)
def test_a_full_and_a_read_only_disk(
    tiny_project: Any, tiny_images: Path, run_stage: Any, one_line: Any, mount: str, message: str
) -> None:
    tiny_project(CHANGES)
    Path("data").mkdir()
    # `find` would add the names of files left on the disk to stderr: one line means none.
    assert message in one_line(run_stage("ingest", *in_namespace(mount)))


@pytest.mark.parametrize("stage", ["sample", "ingest"])
def test_a_file_where_the_output_folder_should_be(
    tiny_project: Any, tiny_images: Path, run_stage_here: Any, one_line: Any, stage: str
) -> None:
    tiny_project(CHANGES)
    Path("data").write_text("in the way")
    assert "Not a directory" in one_line(run_stage_here(stage))
    assert Path("data").read_text() == "in the way"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no such limit")
@pytest.mark.parametrize("stage", ["sample", "ingest"])
def test_a_file_that_must_not_grow(
    tiny_project: Any, tiny_images: Path, run_stage: Any, one_line: Any, stage: str
) -> None:
    tiny_project(CHANGES)
    # 8 blocks of 512 or 1024 bytes; the signal is ignored, as Python does, so that the write itself fails.
    line = one_line(run_stage(stage, "sh", "-c", 'ulimit -f 8; "$@"', "sh"))
    assert "the file grew past a limit" in line
    assert list(Path("data").iterdir()) == []
