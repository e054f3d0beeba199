import json
import subprocess
import sys
from pathlib import Path

from lacuna.reporting.verdict_changes import describe_changes
from tests.dvc_project import commit, run


def metrics(**targets):
    return {"targets": {name: {"verdict": verdict, "f1": f1} for name, (verdict, f1) in targets.items()}}


def test_only_targets_whose_verdict_changed_came_or_went_are_listed():
    before = metrics(red=("learned", 0.8), kind=("not shown", 0.4), old=("learned", 0.5))
    now = metrics(red=("learned", 0.7), kind=("learned", 0.6), new=("not shown", 0.25))
    *_, kind, old, new = describe_changes(before, now).splitlines()
    assert kind == "| kind | not shown | learned | 40 | 60 |"
    assert old == "| old | learned | - | 50 | - |"
    assert new == "| new | - | not shown | - | 25 |"
    assert describe_changes(before, before).endswith("No target's verdict changed.")


def test_a_commit_is_compared_with_the_working_tree(tmp_path, repository):
    def said(name):
        command = [sys.executable, "-m", "lacuna.reporting.verdict_changes", name]
        return subprocess.run(
            command, cwd=tmp_path, env={"PYTHONPATH": str(repository), "PATH": "/usr/bin:/bin"}, capture_output=True,
            text=True, check=False,
        )  # fmt: skip

    run(tmp_path, "git", "init", "--quiet")
    commit_file = Path(tmp_path, "metrics/test.json")
    Path(tmp_path, "other.txt").write_text("before there were metrics")
    commit(tmp_path)
    commit_file.parent.mkdir()
    commit_file.write_text(json.dumps(metrics(red=("not shown", 0.4))))
    commit(tmp_path)
    commit_file.write_text(json.dumps(metrics(red=("learned", 0.8))))
    assert "| red | not shown | learned | 40 | 80 |" in said("HEAD").stdout
    assert "| red | - | learned | - | 80 |" in said("HEAD~1").stdout
    wrong = said("nowhere")
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("error: 'nowhere': no commit of this repository")
