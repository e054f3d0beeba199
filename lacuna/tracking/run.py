"""The mirror of a finished pipeline in MLflow. The only file that imports mlflow.

DVC stays the source of truth: what is logged here was read from DVC's own files after the fact.
"""

import hashlib
import json
import logging
import os
import re
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock

from lacuna.errors import LacunaError

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


@dataclass(frozen=True)
class Model:
    """A bundle as MLflow keeps, loads and serves it: a pyfunc, registered under `name`.

    `loader` is the module of this package that loads the folder `bundle`. `inputs` and `outputs` are the columns with
    MLflow's types; `example` is an input with one row. `requirements` are pinned, one for each library.
    """

    name: str
    bundle: Path
    loader: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    example: Mapping[str, object]
    requirements: Sequence[str]


@dataclass(frozen=True)
class Run:
    """One run as MLflow shows it.

    `history` has one row per epoch: its number under "epoch", which becomes MLflow's step, and the figures.
    `facts` (figures) and `tags` (words) describe this execution only, such as how long it took: runs that
    differ in nothing else are the same run.
    `artifacts` are files and folders, relative to the working folder; MLflow shows them under the same paths.
    """

    name: str
    params: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    history: Sequence[Mapping[str, float]] = ()
    artifacts: Sequence[Path] = ()
    facts: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    children: Sequence["Run"] = ()
    model: Model | None = None


def flatten(content: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Nested mappings as one level of dotted keys; lists and empty mappings become JSON text.

    >>> flatten({"train": {"loss": "focal"}, "data": {"targets": {}, "unknown": ["", "NA"]}})
    {'train.loss': 'focal', 'data.targets': '{}', 'data.unknown': '["", "NA"]'}
    """
    flat: dict[str, object] = {}
    for key, value in content.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = json.dumps(value) if isinstance(value, Mapping | list | tuple) else value
    return flat


def numbers(content: Mapping[str, object]) -> dict[str, float]:
    """The entries of a flat mapping that are numbers; words and truth values are left out."""
    return {
        key: float(value)
        for key, value in content.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def log_run(run: Run, *, root: Path, experiment: str) -> tuple[str, bool]:
    """Mirror `run` and its children; return MLflow's run id, and whether the run is new.

    The store is `MLFLOW_TRACKING_URI` or else `mlflow.db` in `root`, with the files in `root/mlruns`: absolute
    paths, because a DVC experiment may run in a folder that is deleted afterwards. When a finished run with
    the same content and the same name is there already, nothing is logged. The run's model becomes a version of its
    registered model, unless one with the same content is registered.

    One process at a time: several that meet an empty store would race to create its tables and break it.
    A run whose logging fails, or its parent, ends as FAILED. Raises LacunaError when MLflow refuses.
    """
    root = root.resolve()
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    store = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root / 'mlflow.db'}"
    try:
        with FileLock(root / "mlflow.db.lock"):
            client = MlflowClient(store)
            experiment_id = _experiment_id(client, experiment, root / "mlruns")
            content = _content(run)
            finished = f"tags.`{CONTENT_TAG}` = '{content}' AND attributes.status = 'FINISHED'"
            for same in client.search_runs([experiment_id], finished, max_results=1):
                return str(same.info.run_id), False
            return _log(client, experiment_id, run, {CONTENT_TAG: content}), True
    except MlflowException as error:
        raise LacunaError(f"MLflow at {store}: {' '.join(str(error).split())}") from error


def _experiment_id(client: MlflowClient, name: str, artifacts: Path) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        if found.lifecycle_stage == "deleted":
            raise LacunaError(
                f"track.experiment: MLflow's experiment {name!r} is deleted; restore it "
                f"(mlflow experiments restore -x {found.experiment_id}) or choose another name"
            )
        return str(found.experiment_id)
    on_a_server = client.tracking_uri.startswith(("http", "databricks"))
    return str(client.create_experiment(name, artifact_location=None if on_a_server else artifacts.as_uri()))


def _log(client: MlflowClient, experiment_id: str, run: Run, tags: Mapping[str, str]) -> str:
    created = client.create_run(experiment_id, tags=resolve_tags({**run.tags, **tags}), run_name=run.name)
    run_id = str(created.info.run_id)
    try:
        now = int(time.time() * 1000)
        figures = [(0, {**run.metrics, **run.facts}), *((int(row["epoch"]), row) for row in run.history)]
        client.log_batch(
            run_id,
            params=[Param(_key(key), str(value)) for key, value in run.params.items()],
            metrics=[
                Metric(_key(key), value, now, step)
                for step, row in figures
                for key, value in row.items()
                if key != "epoch"
            ],
        )
        for path in _files(run.artifacts):
            client.log_artifact(run_id, str(path), path.parent.as_posix() if path.parent.name else None)
        for child in run.children:
            _log(client, experiment_id, child, {MLFLOW_PARENT_RUN_ID: run_id})
        if run.model is not None:
            client.set_tag(run_id, MODEL_TAG, _register(client, experiment_id, run_id, run.model))
    except BaseException:
        client.set_terminated(run_id, "FAILED")
        raise
    client.set_terminated(run_id)
    return run_id


def _register(client: MlflowClient, experiment_id: str, run_id: str, model: Model) -> str:
    """Return the address of the registered version with the model's content: one that is there, or a new one."""
    content = _model_content(model)
    same = client.search_model_versions(f"name = '{model.name}' AND tags.`{CONTENT_TAG}` = '{content}'", max_results=1)
    if not same:
        logged = client.create_logged_model(experiment_id, model.name, source_run_id=run_id)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch, "model")
            _save_model(folder, model, {"run_id": run_id, "model_id": logged.model_id})
            client.log_model_artifacts(logged.model_id, str(folder))
        client.finalize_logged_model(logged.model_id, "READY")
        client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
        if not client.search_registered_models(f"name = '{model.name}'"):
            client.create_registered_model(model.name)
        source, tags = (
            logged.artifact_location,
            {CONTENT_TAG: content},
        )  # models:/ID would be sought in MLflow's default
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
            code_paths=[str(Path(__file__).parent)],
            signature=models.ModelSignature(*schemas),
            input_example=pd.DataFrame({name: [value] for name, value in model.example.items()}),
            pip_requirements=list(model.requirements),
            mlflow_model=models.Model(**ids),
        )


def _model_content(model: Model) -> str:
    """Not of the code that loads it: what shapes an answer raises the version of Lacuna, which the bundle states."""
    stated = [model.loader, dict(model.inputs), dict(model.outputs), list(model.requirements)]
    digest = hashlib.sha256(json.dumps(stated).encode())
    for path in _files([model.bundle]):
        digest.update(path.relative_to(model.bundle).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def _key(name: str) -> str:
    """`name` with each character that MLflow refuses as its code, so that two names stay two."""
    return re.sub(r"[^\w.\- /]", lambda refused: f"_{ord(refused[0]):x}_", name)


def _content(run: Run) -> str:
    digest = hashlib.sha256()

    def add(run: Run) -> None:
        stated = [run.name, dict(run.params), dict(run.metrics), [dict(row) for row in run.history]]
        digest.update(json.dumps(stated, sort_keys=True).encode())
        for path in _files(run.artifacts):
            digest.update(str(path).encode() + path.read_bytes())
        if run.model is not None:
            digest.update(f"{run.model.name} {_model_content(run.model)}".encode())
        for child in run.children:
            add(child)

    add(run)
    return digest.hexdigest()


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        yield from sorted(part for part in path.rglob("*") if part.is_file()) if path.is_dir() else [path]
