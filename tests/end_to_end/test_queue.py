"""Parallel DVC experiments into an MLflow store that does not exist yet."""

import shutil
import time
from pathlib import Path
from textwrap import dedent

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from ruamel.yaml import YAML

from tests.dvc_project import commit, run, start_dvc, write_code
from tests.tiny_bundle import write_tiny_bundle

pytestmark = pytest.mark.slow

UPSTREAM = """
    import json, shutil
    from pathlib import Path
    import numpy as np
    from lacuna.config.load import load_params

    gamma = load_params(Path("params.yaml")).train.gamma
    content = {
        ".json": json.dumps({"macro": {"f1": gamma / 10}, "targets": {}}),
        ".csv": f"epoch,phase,loss\\n1,one,{gamma}\\n2,one,{gamma / 2}\\n",
        ".png": "a picture",
        ".html": "a report",
    }
    for out in OUTS:
        path = Path(out)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.name == "bundle":
            shutil.copytree("tiny_bundle", path)
        elif path.name == "pixels":
            path.mkdir()
            np.save(path / "00000-of-00001.npy", np.zeros((1, 8, 8, 3), np.uint8))
        elif path.name == "manifest.csv":
            path.write_text("image,row,split,group\\na.png,0,train,0\\n")
        elif path.suffix:
            path.write_text(content[path.suffix])
        else:
            path.mkdir()
            (path / "one.png").write_text("a picture")
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A git and DVC project: the repository's own stage `track` behind one cheap stage that writes all it reads."""
    root = tmp_path_factory.mktemp("queue") / "project"
    write_code(root)
    shutil.copy(repository / "params.yaml", root)

    track = YAML(typ="safe").load(repository / "dvc.yaml")["stages"]["track"]
    outs = [dep for dep in track["deps"] if dep.partition("/")[0] in ("data", "metrics", "models", "plots")]
    write_tiny_bundle(root / "tiny_bundle")
    (root / "upstream.py").write_text(f"OUTS = {outs}\n" + dedent(UPSTREAM))
    upstream = {"cmd": "python upstream.py", "deps": ["upstream.py"], "params": ["train.gamma"], "outs": outs}
    YAML().dump({"stages": {"upstream": upstream, "track": track}}, root / "dvc.yaml")

    start_dvc(root)
    commit(root)
    return root


def runs(root: Path) -> list[Run]:
    """The parent runs in the project's own store."""
    client = MlflowClient(f"sqlite:///{root}/mlflow.db")
    found = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    return [one for one in found if "mlflow.parentRunId" not in one.data.tags]


def test_three_jobs_at_once_leave_three_finished_runs_in_a_cold_store(project: Path, python: Path) -> None:
    for gamma in (1, 2, 3):
        run(project, "dvc", "exp", "run", "--queue", "--name", f"gamma-{gamma}", "--set-param", f"train.gamma={gamma}")
    try:
        run(project, "dvc", "queue", "start", "--jobs", "3", python=python)
        deadline = time.monotonic() + 200
        while any(word in run(project, "dvc", "queue", "status") for word in ("Queued", "Running")):
            assert time.monotonic() < deadline, run(project, "dvc", "queue", "status")
            time.sleep(1)
        status = run(project, "dvc", "queue", "status")
    finally:
        run(project, "dvc", "queue", "stop", "--kill")

    assert status.count("Success") == 3, status
    found = {one.info.run_name: one for one in runs(project)}
    assert set(found) == {"gamma-1", "gamma-2", "gamma-3"}
    assert {one.info.status for one in found.values()} == {"FINISHED"}
    assert found["gamma-2"].data.params["train.gamma"] == "2.0"
    assert found["gamma-2"].data.metrics["validation/macro.f1"] == 0.2
    for one in found.values():
        assert (project / "mlruns" / one.info.run_id / "artifacts/metrics/validation.json").exists()
        assert one.data.tags["lacuna.model"] == "models:/lacuna/1"  # one bundle, registered once


def test_an_experiment_in_a_temporary_folder_is_kept_in_the_project(project: Path, python: Path) -> None:
    run(project, "dvc", "exp", "run", "--temp", "--name", "aside", "--set-param", "train.gamma=1.5", python=python)
    (aside,) = (found for found in runs(project) if found.info.run_name == "aside")
    assert aside.info.status == "FINISHED"
    assert (project / "mlruns" / aside.info.run_id / "artifacts/plots/confusion/one.png").exists()
    assert not (project / "metrics").exists()
