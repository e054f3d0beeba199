"""What import-linter cannot see: what is really loaded, and how long files are."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]

HEAVY = {"dvc", "keras", "mlflow", "pandas", "scipy.stats", "sklearn", "tensorflow"}

SOURCES = sorted(path for folder in ("lacuna", "stages", "tests") for path in (REPOSITORY / folder).rglob("*.py"))


def loaded_by(module: str) -> set[str]:
    """The names of all modules in memory after `import module` in a fresh interpreter."""
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, text=True, capture_output=True, check=True)
    return set(done.stdout.split())


def test_few_files_lie_flat() -> None:
    assert len(list((REPOSITORY / "lacuna").glob("*.py"))) <= 8


def test_each_package_says_what_it_is_for() -> None:
    packages = sorted((REPOSITORY / "lacuna").rglob("__init__.py"))
    said = {path.parent: ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "" for path in packages}
    assert len(said) > 20
    assert [path for path, words in said.items() if len(words.splitlines()) < 2] == []


def test_the_package_is_lazy() -> None:
    assert "numpy" not in loaded_by("lacuna")


@pytest.mark.parametrize("module", ["core.targets", "core.scores", "data.labels.split", "calibration.model"])
def test_modules_for_numpy_load_nothing_heavy(module: str) -> None:
    assert loaded_by(f"lacuna.{module}") & HEAVY == set()


def test_predicting_loads_nothing_that_trains_or_tracks() -> None:
    assert loaded_by("lacuna.inference.predictor") & {*HEAVY, "matplotlib", "onnx", "scipy"} == set()


def test_selective_prediction_loads_no_statistics_of_scipy() -> None:
    """It is loaded where a precision is asked for; importing scipy.stats alone takes up to two seconds."""
    assert loaded_by("lacuna.calibration.selective") & {*HEAVY, "matplotlib", "onnx"} == set()


def test_serving_loads_nothing_that_trains_or_tracks() -> None:
    assert loaded_by("lacuna.serving.server") & {*HEAVY, "matplotlib", "onnx", "scipy"} == set()


def test_files_stay_under_300_lines() -> None:
    assert len(SOURCES) > 400
    lines = {path.relative_to(REPOSITORY): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {path: n for path, n in lines.items() if n >= 300} == {}, "more than one idea? split it"


SAME_IN_EVERY_BACKBONE = {"build", "checkpoint", "load"}
COMMANDS = {"compare", "main", "tune"}  # of cli.py, each calling what it is named after
LOGGERS = {"logger"}


def test_no_public_name_is_defined_in_two_modules() -> None:
    places: dict[str, list[str]] = {}
    for path in (REPOSITORY / "lacuna").rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names = [node.name]
            for name in names:
                places.setdefault(name, []).append(path.relative_to(REPOSITORY).as_posix())
    allowed = SAME_IN_EVERY_BACKBONE | COMMANDS | LOGGERS
    assert {
        name: found
        for name, found in places.items()
        if len(found) > 1 and not name.startswith("_") and name not in allowed
    } == {}
