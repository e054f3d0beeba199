"""Stages as a user runs them, on a tiny data set with everything right, for tests to spoil."""

import io
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

RunStage = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run_stage(repository: Path, tmp_path: Path, request: pytest.FixtureRequest) -> RunStage:
    """Run a stage in `tmp_path` as DVC does, with these variables in its environment.

    With arguments that go before the interpreter that is a new one. Else TensorFlow is imported already, and strings
    have other hashes than in the tests' own process.
    """

    def run(name: str, *before: str, **variables: str) -> subprocess.CompletedProcess[str]:
        interpreter = sys.executable if before else request.getfixturevalue("python") / "python"
        command = [*before, interpreter, "-m", f"stages.{name}"]
        environment = {**os.environ, "PYTHONPATH": str(repository), **variables}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def run_stage_here(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStage:
    """As `run_stage`, but in this process: starting Python takes a stage longer than most mistakes do."""

    def run(name: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(tmp_path)
        out, err, code = io.StringIO(), io.StringIO(), 0
        with redirect_stdout(out), redirect_stderr(err):
            try:
                runpy.run_path(str(repository / f"stages/{name}.py"), run_name="__main__")
            except SystemExit as ended:  # with what is to be said, or a number
                code = 1 if isinstance(ended.code, str) else ended.code or 0
                err.write(f"{ended.code}\n" if isinstance(ended.code, str) else "")
        return subprocess.CompletedProcess(name, code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def tiny_images(tmp_path: Path) -> Path:
    """A folder of 40 different pictures, `0.png` to `39.png`, each 40x40."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(40):
        Image.fromarray(generator.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def one_line() -> Callable[[subprocess.CompletedProcess[str]], str]:
    """Assert that a stage stopped as a user may expect, and return the line it said."""

    def check(result: subprocess.CompletedProcess[str]) -> str:
        assert result.returncode == 1, result.stderr
        (line,) = result.stderr.splitlines()
        assert line.startswith("error: ")
        return line

    return check
