"""A git and DVC project with the repository's own code, and commands as a user runs them in it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.tiny_project import REPOSITORY

OWN = ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_EXP_NAME", "PYTHONPATH")
"""What a user's environment must not tell the project under test."""


def write_code(root: Path) -> None:
    """Put the pipeline's code and settings, all but params.yaml and dvc.yaml, into a new folder."""
    for folder in ("lacuna", "stages", "corrections"):
        shutil.copytree(REPOSITORY / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("requirements-serve.txt", ".gitignore", ".dvcignore"):
        shutil.copy(REPOSITORY / name, root)


def start_dvc(root: Path) -> None:
    """Make the folder a git and DVC project, settings as in the repository."""
    run(root, "git", "init", "--quiet")
    run(root, "dvc", "init", "--quiet")
    shutil.copy(REPOSITORY / ".dvc/config", root / ".dvc/config")


def commit(root: Path) -> None:
    run(root, "git", "add", ".")
    run(root, "git", "commit", "--quiet", "--message", "start")


def environment(root: Path, python: Path | None = None) -> dict[str, str]:
    """Of a command in the project: an author for git, DVC's shared state beside it, and which Python comes first.

    python: its folder, as `preloaded_python` yields it; else the tests' own.
    """
    keep = {name: value for name, value in os.environ.items() if name not in OWN}
    author = {f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    folders = [*([python] if python else []), Path(sys.executable).parent, os.environ["PATH"]]
    path = os.pathsep.join(map(str, folders))
    return {**keep, **author, "PATH": path, "DVC_SITE_CACHE_DIR": str(root.parent / "site")}


def run(root: Path, *command: str, python: Path | None = None) -> str:
    """Run a command in the project to its good end; return what it printed."""
    done = try_to_run(root, *command, python=python)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def try_to_run(root: Path, *command: str, python: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command in the project, whatever it comes to."""
    return subprocess.run(
        command, cwd=root, env=environment(root, python), text=True, capture_output=True, timeout=1000, check=False
    )
