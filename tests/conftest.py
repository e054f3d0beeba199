"""What many tests share: a quiet TensorFlow, one way for Hypothesis, and a project in a temporary folder."""

import gc
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from lacuna.config.params import Params
from tests.tiny_project import REPOSITORY, write_params

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # before any test imports TensorFlow

# The same examples in every run, on a busy machine too.
settings.register_profile(
    "lacuna", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("lacuna")

TinyProject = Callable[[Mapping[str, Any]], Params]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first: when processes share the work, none is left with one of them at the end."""
    long = ("test_training_settings.py", "test_training_stages.py")
    items.sort(key=lambda item: (item.path.name not in long, "slow" not in item.keywords))


def pytest_collection_finish() -> None:
    """What the imports made stays to the end: the garbage collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


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
    """An MLflow store with its tables, because creating them takes seconds."""
    from lacuna.tracking.content import Run
    from lacuna.tracking.run import log_run

    root = tmp_path_factory.mktemp("migrated")
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("MLFLOW_TRACKING_URI", raising=False)
        log_run(Run("first"), root=root, experiment="first")
    return root / "mlflow.db"
