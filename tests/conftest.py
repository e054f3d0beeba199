"""What many tests share: a quiet TensorFlow, one way for Hypothesis, and a project in a temporary folder."""

import gc
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from lacuna.config.params import Params
from tests.preloaded import python
from tests.tiny_project import REPOSITORY, write_params

__all__ = ["python"]

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # before any test imports TensorFlow

# The same examples in every run, on a busy machine too.
settings.register_profile(
    "lacuna", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("lacuna")

LONG_FILES = ("repro", "training_settings", "tune", "hub_preset", "training_stages", "queue")
LONG = {f"test_{name}.py": order for order, name in enumerate(LONG_FILES)}

TinyProject = Callable[[Mapping[str, Any]], Params]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first: when processes share the work, none is left with one of them at the end."""
    items.sort(key=lambda item: (LONG.get(item.path.name, len(LONG)), "slow" not in item.keywords))


gc.disable()  # what the imports make stays: the garbage collector need not look through it while it grows


def pytest_collection_finish() -> None:
    """Nor need it look through it again and again until the end."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """What `serve` sets up for its process does not outlive a test, at whose end its standard error is closed."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
    for handler in root.handlers[:]:
        if type(handler) is logging.StreamHandler:  # pytest's own are of other classes
            root.removeHandler(handler)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root folder of the code under test."""
    return REPOSITORY


@pytest.fixture
def tiny_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TinyProject:
    """Make `tmp_path` the working folder; return a function that writes the repository's params.yaml there.

    The function takes the changes by their dotted keys and returns the validated parameters:
    `params = tiny_project({"train.batch_size": 4, "data.targets": {"red": "binary"}})`.
    """
    monkeypatch.chdir(tmp_path)

    return partial(write_params, tmp_path)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow store with its tables, to copy: creating them takes seconds, so that all processes share it."""
    from lacuna.tracking.content import Run
    from lacuna.tracking.run import log_run

    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    root, done = shared / "migrated", shared / "migrated.done"
    with FileLock(shared / "migrated.lock"), pytest.MonkeyPatch.context() as environment:
        if not done.exists():
            root.mkdir()
            environment.delenv("MLFLOW_TRACKING_URI", raising=False)
            log_run(Run("first"), root=root, experiment="first")
            done.touch()
    return root / "mlflow.db"
