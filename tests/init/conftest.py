"""A project in which `python -m lacuna init` runs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lacuna.cli import main
from lacuna.config.load import load_params
from lacuna.config.params import Params
from tests.tiny_project import REPOSITORY

Init = Callable[..., Params]


@pytest.fixture
def init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Init:
    """Run the command in a project whose params.yaml is the repository's."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_bytes((REPOSITORY / "params.yaml").read_bytes())

    def run(*arguments: str, code: int = 0) -> Params:
        assert main(["init", "photos", "--yes", *arguments]) == code
        return load_params(Path("params.yaml"))

    return run
