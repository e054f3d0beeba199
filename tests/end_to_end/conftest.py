"""The whole pipeline, run once for all tests that start from a finished project."""

import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from tests.dvc_project import run, start_dvc, write_code
from tests.tiny_project import write_params

SMALL = {
    "sample.images": 120,
    "data.image_size": 64,
    "augment.views": 2,
    "warmup.epochs": 2,
    "finetune.epochs": 12,
    "finetune.patience": 12,
    "finetune.unfreeze": 3,
    "split.min_positives": 1,
    "evaluate.bootstrap": 50,
    "audit.permutations": 99,
    "baseline.cnn_epochs": 2,
    "explain.images": 20,
}


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, repository: Path, python: Path) -> Path:
    """A folder of its own in which `dvc repro` ran the repository's pipeline from nothing: to copy, not to change.

    It is made once for all processes among which pytest-xdist deals the tests.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    root, done = shared / "finished/project", shared / "finished/done"
    with FileLock(shared / "finished.lock"):
        if not done.exists():
            shutil.rmtree(root.parent, ignore_errors=True)
            root.parent.mkdir()
            write_code(root)
            shutil.copy(repository / "dvc.yaml", root)
            write_params(root, SMALL)
            start_dvc(root)
            run(root, "dvc", "repro", python=python)
            done.touch()
    return root
