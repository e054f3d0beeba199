"""What the Dockerfile builds and starts, in a virtual environment and a folder instead of a container."""

import http.client
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.dockerfile import read_dockerfile
from tests.tiny_bundle import write_tiny_bundle

pytestmark = pytest.mark.slow

MAX_INSTALLED_BYTES = 600_000_000

PATIENCE_S = 90


@dataclass(frozen=True)
class Container:
    """The final stage's environment at `venv`, its working folder at `app`, its command and health check."""

    venv: Path
    app: Path
    command: list[str]
    health_check: list[str]
    environment: dict[str, str]
    port: int

    def options(self, command: list[str]) -> dict[str, Any]:
        """Of a process as the image runs it: in the folder, with the environment's own programs."""
        found = shutil.which(command[0], path=self.environment["PATH"])
        assert found == str(self.venv / "bin" / command[0])
        return {"args": [found, *command[1:]], "cwd": self.app, "env": self.environment, "text": True}

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        done: subprocess.CompletedProcess[str] = subprocess.run(**self.options(command), capture_output=True)
        return done

    def python(self, code: str) -> str:
        done = self.run(["python", "-c", dedent(code)])
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Container:
    root = tmp_path_factory.mktemp("image")
    context, build_folder, app = root / "context", root / "build", root / "app"
    shutil.copytree(repository / "lacuna", context / "lacuna", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(repository / "requirements-serve.txt", context)
    write_tiny_bundle(context / "models/bundle")
    build, final = read_dockerfile(repository / "Dockerfile")
    for stage, folder in ((build, build_folder), (final, app)):
        folder.mkdir()
        for source, destination in stage.copies:
            if (context / source).is_dir():
                shutil.copytree(context / source, folder / destination)
            else:
                shutil.copy(context / source, folder / destination)
    venv = root / "venv"
    builder = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for command in build.runs:
        moved = command.replace("/opt/venv", str(venv))
        done = subprocess.run(["sh", "-c", moved], cwd=build_folder, env=builder, text=True, capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr
    variables = {name: value.replace("/opt/venv", str(venv)) for name, value in final.environment.items()}
    environment = {**variables, "PATH": variables["PATH"].replace("$PATH", "/usr/bin:/bin")}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    elsewhere = {"0.0.0.0": "127.0.0.1", final.instructions["EXPOSE"]: str(port)}
    command = [elsewhere.get(part, part) for part in final.command]
    health_check = [part.replace(final.instructions["EXPOSE"], str(port)) for part in final.health_check]
    return Container(venv, app, command, health_check, environment, port)


@pytest.fixture(scope="module")
def service(container: Container) -> Iterator[subprocess.Popen[str]]:
    log = container.app.with_name("service.log")
    with log.open("w") as output:
        process = subprocess.Popen(**container.options(container.command), stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not is_healthy(container.port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield process
    finally:
        process.kill()
        process.wait()


def is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def png(colour: str) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(content, "PNG")
    return content.getvalue()


def test_it_is_small_and_holds_nothing_that_trains_or_tracks(container: Container) -> None:
    said = container.python(
        """
        from importlib.metadata import distributions
        from importlib.util import find_spec
        files = [path for one in distributions() for path in one.files or ()]
        print(sum(path.locate().stat().st_size for path in files if path.locate().is_file()))
        print(*[name for name in ("tensorflow", "keras", "dvc", "mlflow", "pandas", "pip") if find_spec(name)])
        """
    )
    installed, _, unwanted = said.partition("\n")
    assert 100_000_000 < int(installed) < MAX_INSTALLED_BYTES  # openvino alone is larger than the lower limit
    assert unwanted.strip() == ""


def test_every_module_of_the_service_and_of_predicting_can_be_imported(container: Container) -> None:
    container.python(
        """
        import importlib, pkgutil
        import lacuna.serving
        for module in pkgutil.walk_packages(lacuna.serving.__path__, "lacuna.serving."):
            importlib.import_module(module.name)
        importlib.import_module("lacuna.cli")
        for name in ("batch_prediction", "output_files", "packing", "predictor"):
            importlib.import_module(f"lacuna.inference.{name}")
        """
    )


def test_it_predicts_on_the_command_line(container: Container, tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(png("red"))
    done = container.run(["python", "-m", "lacuna", "predict", str(tmp_path / "red.png")])
    assert done.returncode == 0, done.stderr
    assert ["red", "present", "0.73", "(from", "0.60)"] in [line.split() for line in done.stdout.splitlines()]


@pytest.mark.usefixtures("service")
def test_it_answers_and_writes_nothing_into_its_folder(container: Container) -> None:
    before = sorted(container.app.rglob("*"))
    answer = httpx.post(
        f"http://127.0.0.1:{container.port}/predict", files={"file": ("red.png", png("red"))}, timeout=PATIENCE_S
    )
    assert answer.status_code == 200, answer.text
    red = answer.json()["targets"]["red"]
    assert red["decision"] == "present"
    assert red["probability"] == pytest.approx(0.731, abs=1e-3)  # of the logit 2 · 1 - 1
    assert sorted(container.app.rglob("*")) == before


def test_the_health_check_tells_a_running_service_from_a_stopped_one(
    container: Container, service: subprocess.Popen[str]
) -> None:
    check = container.run(container.health_check)
    assert (check.returncode, check.stdout, check.stderr) == (0, "", "")
    service.send_signal(signal.SIGTERM)  # the image's STOPSIGNAL
    assert service.wait(PATIENCE_S) == 0
    assert container.run(container.health_check).returncode == 1
