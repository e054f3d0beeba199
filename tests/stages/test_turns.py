"""A stage that outlives its `dvc`, and the second one that `dvc` starts meanwhile."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

STAGE = """
import sys
from pathlib import Path
from lacuna.io.atomic import atomic_folder, write_json
from stages._run import run

name, stage = sys.argv[1:]

def work(params):
    with atomic_folder(Path("out")) as folder:
        (folder / "first").write_text(name)
        print("began", flush=True)
        sys.stdin.read(1)
        write_json(folder / "second.json", name)

run(stage, work)
"""


@pytest.fixture
def start(tiny_project: Any, repository: Path) -> Any:
    tiny_project({})

    def start(name: str, stage: str = "featurize", folder: str = ".") -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", STAGE, name, stage],
            cwd=folder, env={**os.environ, "PYTHONPATH": str(repository)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    return start


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def finish(process: subprocess.Popen[str]) -> str:
    printed, _ = process.communicate("x")
    assert process.returncode == 0
    return printed


def test_the_second_waits_and_replaces_what_the_orphan_put_in_place(start: Any) -> None:
    orphan = start("orphan")
    assert line_of(orphan) == "began\n"
    second = start("second")
    assert f"waiting: the stage featurize (process {orphan.pid}, since " in line_of(second)
    finish(orphan)
    assert Path("out/second.json").exists()
    assert "began" in finish(second)
    assert {path.name: path.read_text() for path in Path("out").iterdir()} == {
        "first": "second",
        "second.json": '"second"\n',
    }


def test_a_killed_stage_holds_nobody_up(start: Any) -> None:
    killed = start("killed")
    assert line_of(killed) == "began\n"
    killed.kill()
    killed.communicate()
    second = start("second")
    assert line_of(second) == "began\n"
    finish(second)
    assert [path.name for path in Path().glob("out*")] == ["out"]


def test_a_stage_that_writes_what_the_orphan_reads_waits_too(start: Any) -> None:
    orphan = start("orphan", stage="featurize")
    assert line_of(orphan) == "began\n"
    other = start("other", stage="ingest")
    assert "waiting: the stage featurize (process" in line_of(other)
    finish(orphan)
    assert "began" in finish(other)


def test_other_working_folders_do_not_wait(start: Any) -> None:
    Path("experiment").mkdir()
    shutil.copy("params.yaml", "experiment")
    first = start("first")
    assert line_of(first) == "began\n"
    other = start("other", folder="experiment")
    assert line_of(other) == "began\n"
    finish(other)
    finish(first)


PIPELINE = """
stages:
  slow:
    cmd: python slow.py
    deps: [params.yaml]
    outs: [out]
"""

SLOW = """
import time
from pathlib import Path
from lacuna.io.atomic import atomic_folder, write_json
from stages._run import run

def work(params):
    with atomic_folder(Path("out")) as folder:
        write_json(folder / "first.json", 1)
        Path("began").touch()
        while not Path("go").exists():
            time.sleep(0.01)
        write_json(folder / "second.json", 2)

run("slow", work)
"""


@pytest.mark.slow
def test_dvc_killed_in_the_middle_of_a_stage_and_started_again_records_all_of_it(
    tiny_project: Any, repository: Path
) -> None:
    tiny_project({})
    Path("slow.py").write_text(SLOW)
    Path("dvc.yaml").write_text(PIPELINE)
    folder = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": folder, "PYTHONPATH": str(repository)}
    subprocess.run(["dvc", "init", "--no-scm", "--quiet"], env=environment, check=True)

    killed = subprocess.Popen(["dvc", "repro"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not Path("began").exists():
        assert killed.poll() is None
        time.sleep(0.01)
    killed.kill()  # dvc alone, not the stage
    killed.wait()
    again = subprocess.Popen(["dvc", "repro"], env=environment, stdout=subprocess.PIPE, text=True)
    assert again.stdout is not None
    while "waiting: the stage slow" not in again.stdout.readline():
        assert again.poll() is None
    Path("go").touch()
    again.communicate()
    assert again.returncode == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["first.json", "second.json"]
    assert "nfiles: 2" in Path("dvc.lock").read_text()
