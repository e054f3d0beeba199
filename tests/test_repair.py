"""What a killed dvc leaves behind, in a real git and DVC project, and what must not be touched."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lacuna.errors import LacunaError
from lacuna.repair import repair

REPOSITORY = Path(__file__).parents[1]

DVC_YAML = """
stages:
  first:
    cmd: echo one > first.txt
    outs: [first.txt]
  second:
    cmd: cat first.txt input.txt > second.txt
    deps: [first.txt, input.txt]
    outs: [second.txt]
"""


def environment() -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
        **{f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }


def run(root: Path, *command: str, code: int = 0) -> str:
    done = subprocess.run(command, cwd=root, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("finished") / "project"
    root.mkdir()
    (root / "dvc.yaml").write_text(DVC_YAML)
    (root / "input.txt").write_text("two\n")
    run(root, "git", "init", "--quiet", "--initial-branch", "main")
    run(root, "dvc", "init", "--quiet")
    run(root, "dvc", "repro", "--quiet")
    run(root, "git", "add", "--all")
    run(root, "git", "commit", "--quiet", "--message", "start")
    return root


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "project"))


def test_a_healthy_project_is_left_as_it_is(project: Path) -> None:
    (project / "input.txt").write_text("three\n")
    run(project, "dvc", "repro", "--quiet")  # dvc.lock is another than git's
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    assert repair(project) == []
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("left", "what"),
    [
        ("", "empty"),
        ("schema: '2.0'\nstages:\n  first:\n    cmd: echo one\n    outs:\n    - pa", "cut off"),
        ("schema: '2.0'\nstages:\n  first:\n    cm", "cut off"),
        ("\0" * 50, "cut off"),
    ],
)
def test_a_lock_file_that_was_being_written_comes_back_from_git(project: Path, left: str, what: str) -> None:
    committed = (project / "dvc.lock").read_text()
    (project / "dvc.lock").write_text(left)
    assert repair(project) == [f"dvc.lock was {what}; it is again as in git"]
    assert (project / "dvc.lock").read_text() == committed
    assert repair(project) == []


def test_an_empty_lock_file_that_git_does_not_have_is_removed(project: Path) -> None:
    run(project, "git", "rm", "--quiet", "--cached", "dvc.lock")
    run(project, "git", "commit", "--quiet", "--message", "not ours")
    (project / "dvc.lock").write_text("")
    (line,) = repair(project)
    assert "removed" in line
    assert not (project / "dvc.lock").exists()


def test_an_empty_lock_file_in_gits_index_is_not_taken(project: Path) -> None:
    committed = (project / "dvc.lock").read_text()
    (project / "dvc.lock").write_text("")
    run(project, "git", "add", "dvc.lock")
    assert len(repair(project)) == 1
    assert (project / "dvc.lock").read_text() == committed


def test_a_merge_conflict_is_the_users(project: Path) -> None:
    conflict = f"<<<<<<< HEAD\n{(project / 'dvc.lock').read_text()}=======\n>>>>>>> other\n"
    (project / "dvc.lock").write_text(conflict)
    with pytest.raises(LacunaError, match=r"dvc\.lock: holds a merge conflict"):
        repair(project)
    assert (project / "dvc.lock").read_text() == conflict


@pytest.mark.parametrize("content", ["", '{"write": {"/a": {"pi', "[]"])
def test_a_broken_file_of_locks_is_removed(project: Path, content: str) -> None:
    (project / ".dvc/tmp/rwlock").write_text(content)
    assert len(repair(project)) == 1
    assert not (project / ".dvc/tmp/rwlock").exists()


def entry(pid: int) -> str:
    return json.dumps({"write": {"/a": {"pid": pid, "cmd": "dvc repro"}}})


def test_locks_of_the_dead_are_removed_and_those_of_the_living_are_not(project: Path) -> None:
    locks = project / ".dvc/tmp/rwlock"
    locks.write_text(entry(os.getpid()))  # this process is older than the file
    assert repair(project) == []
    os.utime(locks, (0, 0))  # and now younger: another one had its number
    assert len(repair(project)) == 1

    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    locks.write_text(entry(dead.pid))
    assert len(repair(project)) == 1
    assert not locks.exists()


@pytest.fixture
def at_work(project: Path) -> Iterator[Path]:
    """A project in which a dvc runs a stage, without its lock of the project."""
    (project / "dvc.yaml").write_text("stages:\n  slow:\n    cmd: touch began && cat wait\n")
    os.mkfifo(project / "wait")
    dvc = subprocess.Popen(["dvc", "repro", "--quiet"], cwd=project, env=environment())
    while not (project / "began").exists():
        assert dvc.poll() is None
        time.sleep(0.01)
    yield project
    (project / "wait").write_text("go on")
    dvc.wait()


@pytest.mark.skipif(sys.platform == "win32", reason="no such files")
def test_nothing_is_touched_while_a_dvc_is_at_work(at_work: Path) -> None:
    locks, lock_file = at_work / ".dvc/tmp/rwlock", at_work / "dvc.lock"
    held = locks.read_text()
    assert repair(at_work) == []
    locks.write_text("")
    lock_file.write_text("")
    with pytest.raises(LacunaError, match=r"a dvc is at work in this project \(process \d+: .*dvc repro"):
        repair(at_work)
    assert (locks.read_text(), lock_file.read_text()) == ("", "")
    locks.write_text(held)


@pytest.mark.slow
def test_a_dvc_that_holds_the_project_is_waited_for(project: Path) -> None:
    from dvc.lock import Lock

    (project / "dvc.lock").write_text("")
    with Lock(str(project / ".dvc/tmp/lock")), pytest.raises(LacunaError, match="a dvc is at work"):
        repair(project)
    assert (project / "dvc.lock").read_text() == ""


@pytest.mark.slow
def test_make_repairs_what_stops_dvc_and_ends_as_undisturbed(project: Path) -> None:
    """With the Makefile's own lines, and the environment that runs this test as .venv, which make leaves as it is."""
    make = ("make", "-o", ".venv/requirements.installed")
    shutil.copy(REPOSITORY / "Makefile", project)
    (project / ".venv").symlink_to(sys.prefix)
    (project / "mlflow.db").touch()
    (project / "input.txt").write_text("three\n")
    run(project, "dvc", "repro", "--quiet")
    undisturbed = (project / "dvc.lock").read_text()
    assert "nothing to repair" in run(project, *make, "repair")

    (project / "dvc.lock").write_text("")
    printed = run(project, *make)
    assert "validation failed" in printed  # what DVC says of it
    assert "dvc.lock was empty; it is again as in git" in printed
    assert (project / "dvc.lock").read_text() == undisturbed

    (project / ".dvc/tmp/rwlock").write_text("")
    (project / "input.txt").write_text("four\n")
    printed = run(project, *make)
    assert "JSON structure is corrupted" in printed
    assert (project / "second.txt").read_text() == "one\nfour\n"

    (project / "dvc.yaml").write_text("stages:\n  broken:\n    cmd: exit 3\n")
    assert run(project, *make, code=2).count("failed to run: exit 3") == 1  # no second try
