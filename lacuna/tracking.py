"""The mirror of a finished pipeline in MLflow. The only file that imports mlflow.

DVC stays the source of truth: what is logged here was read from DVC's own files after the fact.
"""

import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock

from lacuna.errors import LacunaError

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import mlflow
from mlflow.exceptions import MlflowException

CONTENT_TAG = "lacuna.content"
"""Digest of a run's name, parameters, metrics, history and files: what makes two runs the same."""


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
    the same content and the same name is there already, nothing is logged.

    One process at a time: several that meet an empty store would race to create its tables and break it.
    A run whose logging fails, or its parent, ends as FAILED. Raises LacunaError when MLflow refuses.
    """
    root = root.resolve()
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    mlflow.set_tracking_uri(os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root / 'mlflow.db'}")
    try:
        with FileLock(root / "mlflow.db.lock"):
            experiment_id = _experiment_id(experiment, root / "mlruns")
            content = _content(run)
            same = mlflow.search_runs(
                [experiment_id],
                f"tags.`{CONTENT_TAG}` = '{content}' AND attributes.status = 'FINISHED'",
                max_results=1,
                output_format="list",
            )
            if same:
                return same[0].info.run_id, False
            return _log(run, experiment_id, {CONTENT_TAG: content}, nested=False), True
    except MlflowException as error:
        raise LacunaError(f"MLflow at {mlflow.get_tracking_uri()}: {' '.join(str(error).split())}") from error


def _experiment_id(name: str, artifacts: Path) -> str:
    found = mlflow.get_experiment_by_name(name)
    if found is not None:
        if found.lifecycle_stage == "deleted":
            raise LacunaError(
                f"track.experiment: MLflow's experiment {name!r} is deleted; restore it "
                f"(mlflow experiments restore -x {found.experiment_id}) or choose another name"
            )
        return str(found.experiment_id)
    on_a_server = mlflow.get_tracking_uri().startswith(("http", "databricks"))
    return str(mlflow.create_experiment(name, artifact_location=None if on_a_server else artifacts.as_uri()))


def _log(run: Run, experiment_id: str, tags: Mapping[str, str], *, nested: bool) -> str:
    with mlflow.start_run(
        experiment_id=experiment_id, run_name=run.name, nested=nested, tags={**run.tags, **tags}
    ) as active:
        mlflow.log_params({_key(key): value for key, value in run.params.items()})
        mlflow.log_metrics({_key(key): value for key, value in {**run.metrics, **run.facts}.items()})
        for row in run.history:
            figures = {_key(key): value for key, value in row.items() if key != "epoch"}
            mlflow.log_metrics(figures, step=int(row["epoch"]))
        for path in _files(run.artifacts):
            mlflow.log_artifact(str(path), path.parent.as_posix() if path.parent.name else None)
        for child in run.children:
            _log(child, experiment_id, {}, nested=True)
    return str(active.info.run_id)


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
        for child in run.children:
            add(child)

    add(run)
    return digest.hexdigest()


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        yield from sorted(part for part in path.rglob("*") if part.is_file()) if path.is_dir() else [path]
