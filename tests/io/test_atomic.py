"""Outputs are whole or absent, whatever goes wrong in between."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lacuna.io.atomic import atomic_file, atomic_folder, create_array, read_json, save_arrays, sha256, write_json


def test_a_folder_appears_when_it_is_whole_and_replaces_the_old_one(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    for content in ("old", "new"):
        with atomic_folder(out) as partial:
            (partial / content).write_text(content)
            assert not (out / content).exists()
    assert [path.name for path in out.iterdir()] == ["new"]
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_folder_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_folder(tmp_path / "out") as partial:
        (partial / "half").rename(partial / "deep" / "half")
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_killed_process_are_removed_and_those_of_a_living_one_are_not(tmp_path: Path) -> None:
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    for pid in (killed.pid, os.getppid()):
        for folder in (f"out.{pid}.partial", f"out.{pid}.before.partial", f"other.{pid}.partial"):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "half").write_text("half")
        (tmp_path / f"net.{pid}.partial.weights.h5").write_text("half")
    with atomic_folder(tmp_path / "out") as partial, atomic_file(tmp_path / "net.weights.h5") as file:
        assert list(partial.iterdir()) == []
        file.write_text("weights")
    left = [path.name for path in tmp_path.iterdir() if f".{killed.pid}." in path.name]
    assert left == [f"other.{killed.pid}.partial"]  # of an output that nobody wrote since
    assert len([path for path in tmp_path.iterdir() if f".{os.getppid()}." in path.name]) == 4
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_lost_files_while_it_was_written_is_not_put_in_place(tmp_path: Path) -> None:
    """A file written after the deletion makes the folder anew, which must not hide what is lost."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("old")
    expected = pytest.raises(FileNotFoundError, match="deleted by another program")
    with expected as caught, atomic_folder(tmp_path / "out") as partial:
        write_json(partial / "first.json", {})
        shutil.rmtree(partial)
        write_json(partial / "second.json", {})
    assert caught.value.filename == str(tmp_path / "out")
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "old"]


WRITER = """
import sys, time
from pathlib import Path
from lacuna.io.atomic import atomic_file, atomic_folder
name = sys.argv[1]
with atomic_folder(Path("out")) as folder, atomic_file(Path("out.csv")) as path, path.open("w") as file:
    (folder / "first").write_text(name)
    file.write(f"{name}\\n" * 9)
    file.flush()
    print("half", flush=True)
    sys.stdin.read(1)
    (folder / "second").write_text(name)
    file.write(f"{name}\\n" * 9)
"""


def test_two_processes_that_write_the_same_outputs_leave_those_of_one(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, name],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for name in ("one", "two")
    ]  # fmt: skip
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "half\n"  # both are in the middle
    for writer in writers:
        writer.communicate("x")
        assert writer.returncode == 0
    assert (tmp_path / "out.csv").read_text() == "two\n" * 18
    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == {"first": "two", "second": "two"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "out.csv"]


def test_a_file_keeps_its_suffix_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "net.weights.h5"
    with atomic_file(path) as partial:
        assert partial.name == f"net.{os.getpid()}.partial.weights.h5"
        partial.write_text("weights")
    assert path.read_text() == "weights"
    with pytest.raises(TypeError), atomic_file(path) as partial, partial.open("w") as file:
        file.writelines(["half", 2])
    assert path.read_text() == "weights"
    assert [found.name for found in path.parent.iterdir()] == ["net.weights.h5"]


def test_json_refuses_what_readers_disagree_on(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    write_json(path, {"naïve": [1, 2.5]})
    assert read_json(path) == {"naïve": [1, 2.5]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"f1": float("nan")})
    assert read_json(path) == {"naïve": [1, 2.5]}
    assert [found.name for found in tmp_path.iterdir()] == ["facts.json"]


def test_an_array_is_written_and_read_as_numpy_does(tmp_path: Path) -> None:
    array = create_array(tmp_path / "a.npy", (3, 4), np.float32)
    array[:] = np.arange(12).reshape(3, 4)
    array.flush()
    assert np.load(tmp_path / "a.npy").tolist() == np.arange(12).reshape(3, 4).tolist()
    assert create_array(tmp_path / "empty.npy", (0, 4), np.uint8).shape == (0, 4)


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems are sparse")
def test_an_array_reserves_its_space_or_fails_at_once(tmp_path: Path) -> None:
    array = create_array(tmp_path / "a.npy", (1000, 1000), np.uint8)
    assert (tmp_path / "a.npy").stat().st_blocks * 512 >= array.nbytes
    # In a process of its own, because the limit would stay. Without the reservation the write below dies of a signal.
    code = f"""
import resource, signal
from pathlib import Path
from lacuna.io.atomic import create_array
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    create_array(Path({str(tmp_path / "b.npy")!r}), (1000, 1000), "uint8")[:] = 1
except OSError as error:
    print(error.errno)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == str(errno.EFBIG)


def test_arrays_have_the_same_bytes_in_every_python(tmp_path: Path) -> None:
    """np.savez gives 246c842f... in Python 3.11.7 and 8fbfa06d... in 3.11.2 for the first of them alone."""
    arrays = {"logits": np.array([[0.5, -2.0]], np.float32), "image": np.array(["b\u00e9.png"])}
    save_arrays(tmp_path / "some.npz", arrays)
    assert sha256(tmp_path / "some.npz") == "4f5a189854cf2761c044a773e9c64fdd4abbe60810a4436aa843c40c6c1c724c"
    with np.load(tmp_path / "some.npz") as read:
        assert list(read.files) == ["logits", "image"]
        assert (read["logits"] == arrays["logits"]).all()
        assert (read["image"] == arrays["image"]).all()


def test_a_folder_that_is_not_to_be_replaced_stays(tmp_path: Path) -> None:
    """Also one that came while the other was written: someone may be linking from it."""
    target = tmp_path / "target"

    def write() -> None:
        with atomic_folder(target, replace=False) as folder:
            (folder / "mine").touch()
            target.mkdir()
            (target / "theirs").touch()

    with pytest.raises(OSError, match="target"):
        write()
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
    assert [path.name for path in target.iterdir()] == ["theirs"]
