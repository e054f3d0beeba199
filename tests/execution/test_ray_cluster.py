"""Work past one machine: a real cluster of two nodes, whose processes are killed, gives the bytes of one process."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from tests.execution.ray_cluster import ENVIRONMENT, OTHER, RayCluster, ray_cluster

__all__ = ["ray_cluster"]

pytestmark = pytest.mark.slow
DRIVER = Path(__file__).with_name("pieces_of_ingest.py")
N = 60


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images, some of them near duplicates, one no image, and what one process makes of them."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "photos").mkdir()
    shutil.copy(DRIVER, folder / "pieces_of_ingest.py")
    add_images(folder, N)
    (folder / "photos/0007.png").write_bytes(b"no image")
    drive(folder, "expected", "local").wait()
    return folder


def add_images(folder: Path, n: int, prefix: str = "") -> None:
    draws = np.random.default_rng(n)
    for number in range(n):
        pixels = draws.integers(0, 256, (40, 40, 3)) if number % 5 else np.full((40, 40, 3), 90 + number % 3)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"photos/{prefix}{number:04}.png")


def drive(folder: Path, out: str, engine: str, address: str = "", workers: int = 0) -> subprocess.Popen[bytes]:
    """Start a driver in a project's folder, from nothing."""
    paths = os.pathsep.join([str(folder), str(Path(__file__).parents[2])])
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    code = f"import pieces_of_ingest as p; p.main({engine!r}, {address!r}, {workers}, {out!r})"
    driver = subprocess.Popen([sys.executable, "-c", code], cwd=folder, env=environment)
    DRIVERS.append(driver)
    return driver


DRIVERS: list[subprocess.Popen[bytes]] = []


@pytest.fixture(autouse=True)
def no_driver_is_left() -> Iterator[None]:
    """A driver that a failed test has left would keep the cluster's cores."""
    yield
    while DRIVERS:
        driver = DRIVERS.pop()
        driver.kill()
        driver.wait()


def contents(folder: Path) -> dict[str, bytes]:
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    assert "found.json" in found
    assert len(found) > 5
    return {name: path.read_bytes() for name, path in found.items()}


def wait_for(condition: Callable[[], bool], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to this"
        time.sleep(0.05)


def copy_of(project: Path, folder: Path) -> Path:
    """The same images, and nothing that was made of them."""
    shutil.copytree(project / "photos", folder / "photos")
    shutil.copy(DRIVER, folder / "pieces_of_ingest.py")
    return folder


def test_a_ray_of_its_own_gives_the_same_bytes(project: Path, tmp_path: Path) -> None:
    assert drive(copy_of(project, tmp_path), "out", "ray", workers=2).wait(300) == 0
    assert contents(tmp_path / "out") == contents(project / "expected")


@pytest.mark.parametrize("killed", ["worker", "driver", "raylet"])
def test_a_killed_process_changes_no_byte(ray_cluster: RayCluster, project: Path, tmp_path: Path, killed: str) -> None:
    """All workers are stopped in the middle of a shard. Then one of the second node is killed, or the node, or the
    driver."""
    folder = copy_of(project, tmp_path)
    stopped = folder / "stopped"
    stopped.mkdir()

    def at_work() -> set[int]:
        return {int(path.name) for path in stopped.iterdir()}

    driver = drive(folder, "out", "ray", ray_cluster.address)
    wait_for(lambda: len(at_work()) == 2)
    workers = [each.pid for each in ray_cluster.processes(OTHER, "ray::") if each.pid in at_work()]
    assert len(workers) == 1
    if killed == "raylet":
        ray_cluster.processes(OTHER, "raylet")[0].kill()
    else:
        os.kill(workers[0] if killed == "worker" else driver.pid, signal.SIGKILL)
    wait_for(lambda: not psutil.pid_exists(workers[0]) or killed == "driver")
    shutil.rmtree(stopped)
    if killed == "driver":
        assert driver.wait(60) == -signal.SIGKILL
        assert list((folder / "kept").rglob("receipt.json"))
        shutil.rmtree(folder / "out")
        driver = drive(folder, "out", "ray", ray_cluster.address)
    assert driver.wait(300) == 0
    assert contents(folder / "out") == contents(project / "expected")
    if killed == "raylet":
        ray_cluster.start_other()


def test_a_hundred_more_images_are_as_from_nothing(ray_cluster: RayCluster, project: Path, tmp_path: Path) -> None:
    folder = copy_of(project, tmp_path)
    shutil.copytree(project / "kept", folder / "kept")
    add_images(folder, 100, prefix="more")
    assert drive(folder, "out", "ray", ray_cluster.address).wait(300) == 0
    (folder / "kept").rename(folder / "former")
    assert drive(folder, "expected", "local").wait(300) == 0
    assert contents(folder / "out") == contents(folder / "expected")


def test_receipts_come_in_order_and_mistakes_as_themselves(ray_cluster: RayCluster) -> None:
    code = """
import operator
from lacuna.execution.executor import open_executor
with open_executor("ray", "", 0) as executor:
    assert not executor.on_one_machine
    assert list(executor.map(operator.neg, range(30))) == list(range(0, -30, -1))
    try:
        list(executor.map(operator.methodcaller("__rfloordiv__", 1), [1, 0]))
    except ZeroDivisionError as error:
        print(error)
"""
    environment = {**os.environ, **ENVIRONMENT, "RAY_ADDRESS": ray_cluster.address}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "integer division or modulo by zero" in done.stdout.splitlines()  # Ray also tells of nodes killed before


@pytest.mark.parametrize("token", ["f" * 32, ""])
def test_a_wrong_token_is_refused_in_one_line(ray_cluster: RayCluster, token: str, tmp_path: Path) -> None:
    code = f"""
from lacuna.errors import LacunaError
from lacuna.execution.executor import open_executor
try:
    with open_executor("ray", "{ray_cluster.address}", 0):
        pass
except LacunaError as error:
    print(error)
"""
    given = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token} if token else {"RAY_AUTH_MODE": "disabled"}
    environment = {**os.environ, **given, "HOME": str(tmp_path), "RAY_NUM_REDIS_GET_RETRIES": "2"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert "its token is missing or another one" in done.stdout
    assert len(done.stdout.splitlines()) == 1
