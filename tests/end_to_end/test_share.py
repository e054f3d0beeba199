"""A finished project goes through a DVC remote to a colleague, who trains nothing; and what a pull request is told."""

import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.dvc_project import commit, environment, run
from tests.tiny_project import REPOSITORY, change_params

pytestmark = pytest.mark.slow

STAGES = list(YAML(typ="safe").load(REPOSITORY / "dvc.yaml")["stages"])


@pytest.fixture(scope="module")
def clone(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second clone of the project, by way of git and of a remote in a folder, with DVC's shared state of its own."""
    place = tmp_path_factory.mktemp("share")
    root, other = place / "mine/project", place / "yours/project"
    shutil.copytree(finished, root)
    shutil.rmtree(root / "runs")
    shutil.copytree(REPOSITORY / ".dvc/plots", root / ".dvc/plots")
    run(root, "dvc", "remote", "add", "--default", "storage", str(place / "remote"))
    commit(root)
    run(root, "dvc", "push", "--run-cache")
    shutil.copytree(root / "models/bundle", place / "bundle")
    (place / "yours").mkdir()
    run(root, "git", "clone", "--quiet", str(root), str(other))
    shutil.rmtree(root)  # nothing may come from there
    return other


def test_pull_and_repro_in_a_second_clone_run_no_stage(clone: Path) -> None:
    assert not (clone / "models/bundle").exists()
    run(clone, "dvc", "pull", "--run-cache")
    said = run(clone, "dvc", "repro")
    assert [f"Stage '{name}' didn't change, skipping" in said for name in STAGES] == [True] * len(STAGES)
    assert "Running stage" not in said
    bundle, sent = clone / "models/bundle", clone.parents[1] / "bundle"
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == {
        path.name: path.read_bytes() for path in sent.iterdir()
    }
    assert run(clone, "git", "status", "--porcelain") == ""


def test_a_change_of_what_is_judged_trains_nothing_there(clone: Path) -> None:
    change_params(clone, {"calibrate.rule": "pr_argmax"})
    said = run(clone, "dvc", "repro", "evaluate")
    for name in ("ingest", "featurize", "train_warmup", "train_finetune"):
        assert f"Stage '{name}' didn't change, skipping" in said
    assert "Running stage 'calibrate'" in said


def test_a_pull_request_is_told_metrics_and_verdicts_beside_its_base(clone: Path) -> None:
    """The step of the workflow as it stands there, after the change above and a verdict that changed."""
    steps = YAML(typ="safe").load(REPOSITORY / ".github/workflows/report.yml")["jobs"]["measure"]["steps"]
    (script,) = (step["run"] for step in steps if step.get("name") == "Write the report")
    base = run(clone, "git", "rev-parse", "HEAD").strip()
    metrics = clone / "metrics/test.json"
    metrics.write_text(metrics.read_text().replace('"verdict": "', '"verdict": "not ', 1))
    given = {"BASE": base, "RUN": "https://ci/run/1", "GITHUB_STEP_SUMMARY": str(clone.parent / "summary.md")}
    subprocess.run(["bash", "-e", "-c", script], cwd=clone, env={**environment(clone), **given}, check=True)
    said = (clone.parent / "summary.md").read_text()
    assert "| target | verdict before | verdict now | F1 before | F1 now |" in said
    assert "| metrics/validation.json | " in said
    assert "(https://ci/run/1)" in said
    assert (clone / "dvc_plots/index.html").exists()
