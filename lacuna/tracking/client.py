"""MLflow's client, and what of MLflow the other modules here use. The only file that imports mlflow."""

import contextlib
import logging
import os
import sqlite3
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import lacuna
from lacuna.errors import LacunaError
from lacuna.tracking.content import Model
from lacuna.tracking.store import (
    DATABASE,
    check_disk_space,
    database_error,
    database_uri,
    follow_project,
    is_own_database,
    store_lock,
)

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import LoggedModelOutput, Metric, Param
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking.context.registry import resolve_tags
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

__all__ = [
    "MLFLOW_PARENT_RUN_ID", "LoggedModelOutput", "Metric", "MlflowClient", "MlflowException", "ModelVersion", "Param",
    "download_artifacts", "is_own_store", "open_store", "resolve_tags", "save_pyfunc",
]  # fmt: skip


def is_own_store(root: Path) -> bool:
    """Whether runs and models go to the project's own store in `root`."""
    named = os.environ.get("MLFLOW_TRACKING_URI", "")
    return not named or is_own_database(named, root.resolve())


@contextlib.contextmanager
def open_store(root: Path, n_bytes: int = 0) -> Iterator[tuple[MlflowClient, bool]]:
    """A client of `MLFLOW_TRACKING_URI`, or else of the project's own store in `root`, and whether it is that one.

    One process at a time holds it. n_bytes: how much is to be written. Raises LacunaError for what MLflow raises, and
    OSError when so much does not fit on the disk.
    """
    root = root.resolve()
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # it logs and raises the same error
    named, is_own = os.environ.get("MLFLOW_TRACKING_URI", ""), is_own_store(root)
    try:
        with store_lock(root):
            if is_own:
                check_disk_space(root, n_bytes)
                for line in follow_project(root):
                    print(line, flush=True)
            yield MlflowClient(database_uri(root / DATABASE) if is_own else named), is_own
    except (MlflowException, sqlite3.Error) as error:
        words = database_error(error) or " ".join(str(error).split())
        raise LacunaError(f"MLflow at {root / DATABASE if is_own else named}: {words}") from error


def save_pyfunc(folder: Path, model: Model, ids: Mapping[str, str]) -> None:
    """Write the model as MLflow's generic one, a pyfunc, with the code that loads it. ids: of the model and its run."""
    import pandas as pd

    with warnings.catch_warnings():  # MLflow's own code, when it is imported and with pandas 3
        warnings.simplefilter("ignore")
        from mlflow import models
        from mlflow.pyfunc import save_model
        from mlflow.types import ColSpec, Schema

        columns = (model.inputs, model.outputs)
        schemas = [Schema([ColSpec(kind, name) for name, kind in part.items()]) for part in columns]
        save_model(
            str(folder),
            loader_module=model.loader,
            data_path=str(model.bundle),
            code_paths=[str(Path(lacuna.__file__).parent)],
            signature=models.ModelSignature(*schemas),
            input_example=pd.DataFrame({name: [value] for name, value in model.example.items()}),
            pip_requirements=list(model.requirements),
            mlflow_model=models.Model(**ids),
        )
