"""dvc.yaml against the code: DVC does not follow imports, so this does."""

import re
from pathlib import Path
from typing import Any

import grimp
import pytest
from ruamel.yaml import YAML

from lacuna.params_file import load_params

REPOSITORY = Path(__file__).parents[1]

HARMLESS = {
    "lacuna": "says nothing but the version",
    "lacuna.config": "the values are params",
    "lacuna.config_types": "the values are params",
    "lacuna.csv_files": "how tables stand in files, not what they hold",
    "lacuna.diagnosis": "words for the user; no out holds them",
    "lacuna.errors": "no result depends on it",
    "lacuna.files": "how outputs are put in place, not what they hold",
    "lacuna.machine": "describes the machine; no out holds it",
    "lacuna.params_file": "reads the values, which are params",
    "lacuna.progress": "what is shown while a stage runs",
    "lacuna.stopwatch": "times are told, no out holds them",
    "lacuna.text_table": "lays out what is printed, no out holds it",
    "stages": "empty",
    "stages._run": "reads params.yaml, reports errors, notes the time",
}
"""Modules whose change must not run a stage again, and why."""

WITHOUT_EFFECT = {("features", "batch_size")}
"""Params that change the speed of a stage but not its outs."""

PIPELINE = YAML(typ="safe").load(REPOSITORY / "dvc.yaml")
STAGES: dict[str, dict[str, Any]] = PIPELINE["stages"]


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph("lacuna", "stages", cache_dir=None)


def file_of(module: str) -> str:
    path = module.replace(".", "/")
    return f"{path}/__init__.py" if (REPOSITORY / path).is_dir() else f"{path}.py"


def closure(imports: grimp.ImportGraph, module: str) -> set[str]:
    """Every module of the project that `module` reaches, imports inside functions included, and itself."""
    found, waiting = {module}, [module]
    while waiting:
        for imported in imports.find_modules_directly_imported_by(waiting.pop()) - found:
            found.add(imported)
            if imported not in HARMLESS:
                waiting.append(imported)
    return found - set(HARMLESS)


@pytest.mark.parametrize("name", STAGES)
def test_deps_are_the_stage_and_the_library_files_it_reaches(imports: grimp.ImportGraph, name: str) -> None:
    listed = {dep for dep in STAGES[name]["deps"] if dep.startswith(("lacuna/", "stages/"))}
    folders = {dep for dep in listed if (REPOSITORY / dep).is_dir()}
    reached = {file_of(module) for module in closure(imports, f"stages.{name}")}
    # A package may be listed as one folder.
    reached = {next((folder for folder in folders if path.startswith(f"{folder}/")), path) for path in reached}

    missing, superfluous = sorted(reached - listed), sorted(listed - reached)
    assert not missing, f"add to {name}'s deps in dvc.yaml: {', '.join(missing)}"
    assert not superfluous, f"{name} does not import these, remove them from its deps: {', '.join(superfluous)}"


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_is_described_short_and_run_as_a_module(name: str) -> None:
    stage = STAGES[name]
    assert len(stage["desc"]) > 20
    assert stage["cmd"] == f"python -m stages.{name}"
    assert len((REPOSITORY / f"stages/{name}.py").read_text().splitlines()) <= 90


def test_every_stage_module_is_in_the_pipeline() -> None:
    modules = {path.stem for path in (REPOSITORY / "stages").glob("*.py") if not path.stem.startswith("_")}
    assert modules == set(STAGES)


def test_params_of_the_stages_exist() -> None:
    params = load_params(REPOSITORY / "params.yaml").model_dump()
    for name, stage in STAGES.items():
        for key in stage.get("params", []):
            if isinstance(key, dict):  # a whole file
                assert key == {"params.yaml": None}
                continue
            block: Any = params
            for part in key.split("."):
                assert part in block, f"{name}: params.yaml has no {key}"
                block = block[part]


def test_deps_of_a_stage_are_outs_of_another_or_files_of_the_project() -> None:
    outs = set()
    for stage in STAGES.values():
        for out in [*stage.get("outs", []), *stage.get("metrics", []), *stage.get("plots", [])]:
            outs.add(next(iter(out)) if isinstance(out, dict) else out)
    for name, stage in STAGES.items():
        for dep in stage["deps"]:
            inside_an_out = any(dep == out or dep.startswith(f"{out}/") for out in outs)
            assert inside_an_out or dep.startswith("${") or (REPOSITORY / dep).exists(), f"{name}: {dep}"


def test_stages_that_do_not_learn_load_no_keras(imports: grimp.ImportGraph) -> None:
    learn = {"featurize", "train_warmup", "train_finetune", "train_baselines", "explain", "export"}
    for name in set(STAGES) - learn:
        assert "lacuna.backend" not in closure(imports, f"stages.{name}"), name


@pytest.mark.parametrize("name", [name for name in STAGES if name != "check_params"])
def test_a_stage_lists_the_params_it_reads(name: str) -> None:
    """A block that is passed on whole may be listed by those of its fields that matter to the stage."""
    listed = set(STAGES[name].get("params", []))
    source = (REPOSITORY / f"stages/{name}.py").read_text(encoding="utf-8")
    used = set(re.findall(r"\bparams\.(?!yaml|model_dump)(\w+)(?:\.(\w+))?", source)) - WITHOUT_EFFECT
    missing = sorted(
        f"{block}.{field}" if field else block
        for block, field in used
        if block not in listed
        and not (f"{block}.{field}" in listed if field else any(key.startswith(f"{block}.") for key in listed))
    )
    assert not missing, f"add to {name}'s params in dvc.yaml: {', '.join(missing)}"
