"""The mirror of a finished pipeline in MLflow. The only file that imports mlflow.

DVC stays the source of truth: what is logged here was read from DVC's own files after the fact.
"""

import contextlib
import logging
import os
import shutil
import sqlite3
import tempfile
import time
import warnings
from collections.abc import Mapping
from pathlib import Path

import lacuna
from lacuna.errors import LacunaError
from lacuna.tracking.content import Model, Run, files_of, model_digest, run_digest, size_of
from lacuna.tracking.names import MAX_PARAM, MAX_TAG, mlflow_name, mlflow_value
from lacuna.tracking.note import ABOUT_RUNS, NOTE_TAG
from lacuna.tracking.store import (
    DATABASE,
    FILES,
    check_disk_space,
    database_error,
    database_uri,
    follow_project,
    is_own_database,
    local_path,
    store_lock,
)

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.tracking.context.registry import resolve_tags
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

CONTENT_TAG = "lacuna.content"
"""Digest of a run's name, parameters, metrics, history, files and model: what makes two runs the same, or two versions
of a model."""

MODEL_TAG = "lacuna.model"
"""The address of the registered version with a run's model."""


def log_run(run: Run, *, root: Path, experiment: str) -> tuple[str, bool]:
    """Mirror `run` and its children; return MLflow's run id, and whether the run is new.

    The store is `MLFLOW_TRACKING_URI` or else the project's own, `mlflow.db` in `root` with the files in `root/mlruns`:
    absolute paths, because a DVC experiment may run in a folder that is deleted afterwards. When a finished run with
    the same content and the same name is there already, nothing is logged. The run's model becomes a version of its
    registered model, unless one with the same content is registered.

    One process at a time. A run whose logging fails, or its parent, ends as FAILED; where even that cannot be written,
    the next call does it. Raises LacunaError when MLflow refuses, OSError when files cannot be written.
    """
    root = root.resolve()
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # it logs and raises the same error
    named = os.environ.get("MLFLOW_TRACKING_URI", "")
    is_own = not named or is_own_database(named, root)
    try:
        with store_lock(root):
            if is_own:
                check_disk_space(root, size_of(run))
                for line in follow_project(root):
                    print(line, flush=True)
            client = MlflowClient(database_uri(root / DATABASE) if is_own else named)
            experiment_id = _experiment_id(client, experiment, root / FILES)
            if is_own:
                _end_abandoned(client, experiment_id)
            content = run_digest(run)
            finished = f"tags.`{CONTENT_TAG}` = '{content}' AND attributes.status = 'FINISHED'"
            for same in client.search_runs([experiment_id], finished, max_results=1):
                return str(same.info.run_id), False
            return _log(client, experiment_id, run, {CONTENT_TAG: content}), True
    except (MlflowException, sqlite3.Error) as error:
        words = database_error(error) or " ".join(str(error).split())
        raise LacunaError(f"MLflow at {root / DATABASE if is_own else named}: {words}") from error


def _experiment_id(client: MlflowClient, name: str, files: Path) -> str:
    found = client.get_experiment_by_name(name)
    if found is None:
        on_a_server = client.tracking_uri.startswith(("http", "databricks"))
        location = None if on_a_server else files.as_uri()
        return str(client.create_experiment(name, artifact_location=location, tags={NOTE_TAG: ABOUT_RUNS}))
    if found.lifecycle_stage == "deleted":
        raise LacunaError(
            f"track.experiment: MLflow's experiment {name!r} is deleted; restore it "
            f"(mlflow experiments restore -x {found.experiment_id}) or choose another name"
        )
    place = local_path(found.artifact_location)
    if place is not None and not place.parent.is_dir():
        raise LacunaError(
            f"track.experiment: MLflow's experiment {name!r} keeps its files in {place}, whose folder is gone; "
            "put it back or choose another name"
        )
    return str(found.experiment_id)


def _end_abandoned(client: MlflowClient, experiment_id: str) -> None:
    """End runs as FAILED that a process left open when it was killed or the disk was full: none is at work now."""
    mine = f"tags.`{CONTENT_TAG}` LIKE '%'"
    for parent in client.search_runs([experiment_id], f"{mine} AND attributes.status = 'RUNNING'"):
        children = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent.info.run_id}' AND attributes.status = 'RUNNING'"
        for left in [*client.search_runs([experiment_id], children), parent]:
            client.set_terminated(left.info.run_id, "FAILED")


def _log(client: MlflowClient, experiment_id: str, run: Run, tags: Mapping[str, str]) -> str:
    texts = {key: mlflow_value(value, MAX_TAG) for key, value in {**run.tags, **tags}.items()}
    created = client.create_run(experiment_id, tags=resolve_tags(texts), run_name=run.name)
    run_id = str(created.info.run_id)
    try:
        now = int(time.time() * 1000)
        metrics = [(0, {**run.metrics, **run.facts}), *((int(row["epoch"]), row) for row in run.history)]
        client.log_batch(
            run_id,
            params=[Param(mlflow_name(key), mlflow_value(value, MAX_PARAM)) for key, value in run.params.items()],
            metrics=[
                Metric(mlflow_name(key), value, now, step)
                for step, row in metrics
                for key, value in row.items()
                if key != "epoch"
            ],
        )
        for path in files_of(run.artifacts):
            _log_file(client, run_id, path)
        for child in run.children:
            _log(client, experiment_id, child, {MLFLOW_PARENT_RUN_ID: run_id})
        if run.model is not None:
            client.set_tag(run_id, MODEL_TAG, _register(client, experiment_id, run_id, run.model))
    except BaseException:
        with contextlib.suppress(MlflowException, OSError):  # or it would hide what went wrong
            client.set_terminated(run_id, "FAILED")
        raise
    client.set_terminated(run_id)
    return run_id


def _log_file(client: MlflowClient, run_id: str, path: Path) -> None:
    """Copy a file to MLflow under its own path, in which MLflow must be able to find it: not with `#` or `%41`."""
    *folders, name = (mlflow_name(part) for part in path.parts)
    folder = "/".join(folders) or None
    if name == path.name:
        client.log_artifact(run_id, str(path), folder)
        return
    with tempfile.TemporaryDirectory() as scratch:
        renamed = shutil.copyfile(path, Path(scratch, name))
        client.log_artifact(run_id, str(renamed), folder)


def _register(client: MlflowClient, experiment_id: str, run_id: str, model: Model) -> str:
    """Return the address of a registered version with the model's content and files, which may be a new one."""
    content = model_digest(model)
    found = client.search_model_versions(f"name = '{model.name}' AND tags.`{CONTENT_TAG}` = '{content}'")
    same = [version for version in found if (local_path(version.source) or Path("/")).exists()]
    if not same:
        logged = client.create_logged_model(experiment_id, model.name, source_run_id=run_id)
        try:
            with tempfile.TemporaryDirectory() as scratch:
                folder = Path(scratch, "model")
                _save_model(folder, model, {"run_id": run_id, "model_id": logged.model_id})
                client.log_model_artifacts(logged.model_id, str(folder))
        except BaseException:
            with contextlib.suppress(MlflowException, OSError):
                client.finalize_logged_model(logged.model_id, "FAILED")
            raise
        client.finalize_logged_model(logged.model_id, "READY")
        client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
        if not client.search_registered_models(f"name = '{model.name}'"):
            client.create_registered_model(model.name)
        source, tags = logged.artifact_location, {CONTENT_TAG: content}  # models:/ID is sought in MLflow's default
        same = [client.create_model_version(model.name, source, run_id, tags=tags, model_id=logged.model_id)]
    return f"models:/{model.name}/{same[0].version}"


def _save_model(folder: Path, model: Model, ids: Mapping[str, str]) -> None:
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
