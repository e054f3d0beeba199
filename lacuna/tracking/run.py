"""The mirror of a finished pipeline in MLflow.

DVC stays the source of truth: what is logged here was read from DVC's own files after the fact.
"""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from lacuna.errors import LacunaError
from lacuna.tracking.client import (
    MLFLOW_PARENT_RUN_ID,
    Metric,
    MlflowClient,
    MlflowException,
    Param,
    open_store,
    resolve_tags,
)
from lacuna.tracking.content import Run, files_of, run_digest, size_of
from lacuna.tracking.names import MAX_PARAM, MAX_TAG, mlflow_name, mlflow_value
from lacuna.tracking.note import ABOUT_RUNS, NOTE_TAG
from lacuna.tracking.registry import CONTENT_TAG, register
from lacuna.tracking.store import FILES, local_path

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
    with open_store(root, size_of(run)) as (client, is_own):
        experiment_id = _experiment_id(client, experiment, root.resolve() / FILES)
        if is_own:
            _end_abandoned(client, experiment_id)
        content = run_digest(run)
        finished = f"tags.`{CONTENT_TAG}` = '{content}' AND attributes.status = 'FINISHED'"
        for same in client.search_runs([experiment_id], finished, max_results=1):
            return str(same.info.run_id), False
        return _log(client, experiment_id, run, {CONTENT_TAG: content}), True


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
            client.set_tag(run_id, MODEL_TAG, register(client, experiment_id, run_id, run.model))
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
