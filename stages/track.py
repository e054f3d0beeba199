"""Mirror the finished run into MLflow: one run with a child per training phase, read from DVC's own files.

See the result with `mlflow ui`. Another server or database: set MLFLOW_TRACKING_URI.

    python -m stages.track
"""

import hashlib
import os
from pathlib import Path

from lacuna.config import Params
from lacuna.csv_files import read_csv
from lacuna.files import read_json, sha256
from lacuna.machine import describe_machine
from lacuna.tracking import Run, flatten, log_run, numbers
from stages._run import Facts, run

PHASES = {"warm-up": "warmup", "fine-tune": "finetune"}

METRICS = {"validation": Path("metrics/validation.json"), "test": Path("metrics/test.json")}

ARTIFACTS = [
    Path("metrics/classes.csv"),
    Path("metrics/prepare.json"),
    *METRICS.values(),
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
]


def track(params: Params) -> Facts:
    records = {path.stem: path for path in sorted(Path("runs").glob("*.json"))}
    tags = describe_machine()
    if Path("dvc.lock").exists():
        tags["dvc_lock"] = hashlib.sha256(Path("dvc.lock").read_bytes()).hexdigest()
    metrics = {name: numbers(flatten(read_json(path))) for name, path in METRICS.items()}
    mirrored = Run(
        name=os.environ.get("DVC_EXP_NAME") or "workspace",
        params=flatten(params.model_dump(mode="json")),
        metrics={f"{part}/{key}": value for part, figures in metrics.items() for key, value in figures.items()},
        artifacts=ARTIFACTS,
        facts={f"seconds/{stage}": read_json(path)["seconds"] for stage, path in records.items()},
        tags=tags,
        children=[_phase(name, suffix) for name, suffix in PHASES.items()],
    )
    run_id, is_new = log_run(mirrored, root=Path(os.environ.get("DVC_ROOT", ".")), experiment=params.track.experiment)
    print(f"MLflow run {run_id}" if is_new else f"MLflow has this run already: {run_id}")
    return {"mlflow_run": run_id}


def _phase(name: str, suffix: str) -> Run:
    path, record = Path(f"plots/history_{suffix}.csv"), Path(f"runs/train_{suffix}.json")
    history = [{key: float(value) for key, value in row.items() if key != "phase" and value} for row in read_csv(path)]
    facts = read_json(record) if record.exists() else {}
    if facts.get("history_sha256") != sha256(path):  # DVC restored this phase; the record is of another execution
        facts = {}
    notes = {"mlflow.note.content": "\n".join(facts["notes"])} if facts.get("notes") else {}
    return Run(name=name, history=history, facts=numbers(facts), tags=notes)


if __name__ == "__main__":
    run("track", track)
