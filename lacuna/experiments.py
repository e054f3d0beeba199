"""Read what an experiment, a commit or the working tree holds; run one. Only this file and `repair` import dvc."""

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lacuna.config.load import load_params
from lacuna.config.params import Params
from lacuna.core.predictions import Predictions
from lacuna.core.relations import Relations, load_relations
from lacuna.core.targets import Targets
from lacuna.errors import LacunaError

WORKSPACE = "workspace"
"""The name of the working tree, as in `dvc exp show`."""

PREDICTIONS, TARGETS, PARAMS = "data/predictions/val.npz", "data/predictions/targets.json", "params.yaml"
HIERARCHY = "data/prepared/hierarchy.json"


@dataclass(frozen=True)
class Experiment:
    """A run of the pipeline: its name, parameters, targets, predictions for the validation part, and the relations
    between targets that its decisions respect."""

    name: str
    params: Params
    targets: Targets
    validation: Predictions
    relations: Relations


def read_experiment(root: Path, revision: str) -> Experiment:
    """Read a run from the project in `root`: `workspace`, an experiment's name, a branch, tag or commit.

    Raises LacunaError when there is no such revision or its files are neither in DVC's cache nor in a remote.
    """
    if revision == WORKSPACE:
        return _read_folder(root, revision)
    with tempfile.TemporaryDirectory() as folder:
        for path in (PREDICTIONS, TARGETS, HIERARCHY, PARAMS):
            _fetch(root, revision, path, Path(folder, path))
        return _read_folder(Path(folder), revision)


def run_experiment(root: Path, name: str, values: Mapping[str, object]) -> None:
    """Run the pipeline as an experiment with some values, by dotted keys, in the place of those in params.yaml.

    The workspace then holds its results. An experiment of that name that is there already is applied instead.
    Raises LacunaError when dvc fails.
    """
    if name in _dvc(root, "exp", "list", "--all-commits", "--name-only", capture=True).split():
        _dvc(root, "exp", "apply", name)
        return
    texts = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in values.items()}
    _dvc(root, "exp", "run", "--name", name, *(part for key, text in texts.items() for part in ("-S", f"{key}={text}")))


def bring_up_to_date(root: Path, *stages: str) -> None:
    """Run what these stages need to fit params.yaml. Raises LacunaError when dvc fails."""
    _dvc(root, "repro", "--quiet", *stages)


def _dvc(root: Path, *arguments: str, capture: bool = False) -> str:
    """Run the dvc beside this Python; its output is shown or, to be captured, returned."""
    folder = Path(sys.executable).parent
    command = shlex.join(["dvc", *arguments])
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"}
    try:
        done = subprocess.run(
            [folder / "dvc", *arguments],
            cwd=root,
            env=environment,
            stdout=subprocess.PIPE if capture else None,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise LacunaError(f"{folder} holds no dvc; install requirements.txt there, then run: {command}") from None
    if done.returncode:
        raise LacunaError(f"dvc ended with code {done.returncode}; mend what it says above, then run: {command}")
    return done.stdout or ""


def _read_folder(folder: Path, name: str) -> Experiment:
    for path in (PREDICTIONS, TARGETS, HIERARCHY, PARAMS):
        if not (folder / path).is_file():
            raise LacunaError(f"{name}: {path} is missing; run `dvc repro evaluate` first")
    params, targets = load_params(folder / PARAMS), Targets.load(folder / TARGETS)
    relations = load_relations(folder / HIERARCHY, targets) if params.calibrate.consistent else ()
    return Experiment(name, params, targets, Predictions.load(folder / PREDICTIONS), relations)


def _fetch(root: Path, revision: str, path: str, target: Path) -> None:
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from dvc.scm import RevError
    from dvc_data.index import DataIndexDirError

    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if not revision or ":" in revision:  # DVC would read the working tree, git a file
            raise RevError("not the name of a revision")
        DVCFileSystem(str(root), rev=revision).get_file(path, str(target))
    except RevError:
        raise LacunaError(
            f"{revision!r}: no such experiment, branch, tag or commit; `dvc exp list -A` names the experiments"
        ) from None
    except (FileNotFoundError, DataIndexDirError):
        raise LacunaError(
            f"{revision}: {path} is neither in that revision nor in DVC's cache; "
            f"`dvc exp apply {revision}` and `dvc repro` make it again"
        ) from None
    except DvcException as error:
        raise LacunaError(f"{revision}: {path} cannot be read by DVC: {' '.join(str(error).split())}") from None
