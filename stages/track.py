"""Mirror the finished run into MLflow: one run with a child per training phase, read from DVC's own files.

See the result with `mlflow ui`. Another server or database: set MLFLOW_TRACKING_URI.

    python -m stages.track
"""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.config.params import Params
from lacuna.core.manifest import read_training_rows
from lacuna.core.training_curves import diagnose_history, read_history
from lacuna.io.atomic import read_json, sha256
from lacuna.io.machine import describe_machine
from lacuna.io.sharded_array import open_rows
from lacuna.tracking.content import Run, flatten, numbers, without
from lacuna.tracking.note import NOTE_TAG, describe_result
from lacuna.tracking.register import describe_model
from lacuna.tracking.run import log_run
from stages._run import Facts, run

BUNDLE, LOCK = Path("models/bundle"), Path("requirements-serve.txt")

PHASES = {"warm-up": "warmup", "fine-tune": "finetune"}
METRICS = ("training", "validation", "test", "explore", "audit", "baseline", "explain", "out_of_distribution", "report")
"""The files in metrics/ whose numbers are logged, each under its name."""

ARTIFACTS = [
    Path("metrics/classes.csv"),
    Path("metrics/prepare.json"),
    Path("metrics/test.json"),
    Path("metrics/validation.json"),
    Path("models/bundle/bundle.json"),
    Path("models/calibration.json"),
    Path("plots/attributes.png"),
    Path("plots/confused_pairs"),
    Path("plots/confusion"),
    Path("plots/history_finetune.csv"),
    Path("plots/history_warmup.csv"),
    Path("plots/loss_curve.png"),
    Path("plots/pr_curves.png"),
    Path("plots/reliability.png"),
    Path("plots/report.html"),
]


def track(params: Params) -> Facts:
    records = {path.stem: path for path in sorted(Path("runs").glob("*.json"))}
    tags = describe_machine()
    if Path("dvc.lock").exists():
        tags["dvc_lock"] = sha256(Path("dvc.lock"))
    found = {name: read_json(Path(f"metrics/{name}.json")) for name in METRICS}
    tags[NOTE_TAG] = describe_result(found["test"], found["baseline"])
    mirrored = Run(
        name=os.environ.get("DVC_EXP_NAME") or "workspace",
        params=flatten(params.model_dump(mode="json")),
        metrics=numbers({key: each for name in METRICS for key, each in flatten(found[name], f"{name}/").items()}),
        artifacts=ARTIFACTS,
        facts={f"seconds/{stage}": read_json(path)["seconds"] for stage, path in records.items()},
        tags=tags,
        children=[_phase(name, suffix) for name, suffix in PHASES.items()],
        model=describe_model(params.track.model_name, BUNDLE, pixels=_training_image(), lock=LOCK),
    )
    run_id, is_new = log_run(mirrored, root=Path(os.environ.get("DVC_ROOT", ".")), experiment=params.track.experiment)
    print(f"MLflow run {run_id}" if is_new else f"MLflow has this run already: {run_id}")
    return {"mlflow_run": run_id}


def _training_image() -> NDArray[np.uint8]:
    rows = read_training_rows(Path("data/prepared/manifest.csv"))
    image: NDArray[np.uint8] = open_rows(Path("data/images/pixels"))[rows[0]]
    return image


def _phase(name: str, suffix: str) -> Run:
    path, record = Path(f"plots/history_{suffix}.csv"), Path(f"runs/train_{suffix}.json")
    history = read_history(path)
    facts = read_json(record) if record.exists() else {}
    if facts.get("history_sha256") != sha256(path):  # DVC restored this phase; the record is of another execution
        facts = {}
    tags = {NOTE_TAG: "\n".join(notes)} if (notes := diagnose_history(history)) else {}
    return Run(name=name, history=without(history, "kept"), facts=numbers(facts), tags=tags)


if __name__ == "__main__":
    run("track", track)
