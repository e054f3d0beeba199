"""dvc.yaml against the code: DVC does not follow imports, so this does."""

import ast
import re
from pathlib import Path
from typing import Any

import grimp
import pytest
from ruamel.yaml import YAML

from lacuna.config.load import load_params
from lacuna.config.params import Params
from lacuna.config.search_space import CHOICE_KEYS, SEARCHED_BLOCKS, TRAINING_BLOCKS
from lacuna.training.checkpoint import CODE_OF_A_TRAINING
from stages.bundle import WITHOUT_EFFECT as WITHOUT_EFFECT_ON_MODEL

REPOSITORY = Path(__file__).parents[1]

HARMLESS = {
    "lacuna.config": "the values are params",
    "lacuna.errors": "no result depends on it",
    "lacuna.execution": "where it is done",
    "lacuna.io": "how outputs are put in place and what the terminal shows, not what outs hold",
    "stages._run": "reads params.yaml, reports errors, notes the time",
}
"""Packages and modules whose change must not run a stage again, and why."""

PHASES = ("warmup", "finetune")
JUDGE = {"evaluate", "baseline", "bundle", "report", "track"}
TRAIN = {"train_warmup", "train_finetune", "train_baselines"}

RERUN = {
    "lacuna/analysis/audit": {"audit"},
    "lacuna/analysis/explain": {"explain"},
    "lacuna/analysis/explore": {"explore"},
    "lacuna/calibration": {"calibrate", "explain", "train_finetune"} | JUDGE,
    "lacuna/core": None,
    "lacuna/data/images": {"ingest", "prepare", "explore", "track"},
    "lacuna/data/labels": {"prepare"},
    "lacuna/data/sample.py": {"sample"},
    "lacuna/evaluation": JUDGE - {"track"},
    "lacuna/evaluation/baselines": JUDGE - {"track"} | {"train_baselines"},
    "lacuna/export": {"export", "out_of_distribution"},
    "lacuna/features": {"featurize", "export"} | TRAIN,
    "lacuna/features/augmentation_draws.py": {"featurize", "explore", "export"} | TRAIN,
    "lacuna/inference": {"explain", "export", "out_of_distribution", "bundle", "track"},
    "lacuna/presentation": {"explore", "audit", "calibrate", "evaluate", "baseline", "explain", "out_of_distribution"}
    | {"bundle", "report"},
    "lacuna/reporting": {"bundle", "report"},
    "lacuna/stats": {"explore", "audit", "calibrate", "explain", "out_of_distribution"} | JUDGE | TRAIN,
    "lacuna/tracking": {"track"},
    "lacuna/training": {"export"} | TRAIN,
}
"""Which stages an edit of each package starts again, those that depend on their outs aside. None: nearly all."""

UNTOUCHED = (
    "lacuna/cli.py",
    "lacuna/commands.py",
    "lacuna/data/downloads",
    "lacuna/data/fetch.py",
    "lacuna/data/fetch_urls.py",
    "lacuna/estimate",
    "lacuna/init",
    "lacuna/labelling",
    "lacuna/monitoring",
    "lacuna/serving",
    "lacuna/tuning",
)
"""What no stage depends on."""

SEEN_IN_A_FILE = {"featurize": {("finetune", "epochs")}, "sample": {("data", "is_embedded"), ("data", "path")}}
"""Params of a stage of which it depends on what check_params writes about them, not on the value."""

ONLY_CHECKS = {"check_params": ("lacuna/core", "lacuna/data/images", "lacuna/data/labels")}
"""Code by which a stage looks for mistakes early, that prepare finds as well, and of which nothing is in its outs."""

WHOLE_FILE = "params.yaml"
"""Listed among a stage's params instead of keys: it depends on all of them."""

PIPELINE = YAML(typ="safe").load(REPOSITORY / "dvc.yaml")
STAGES: dict[str, dict[str, Any]] = PIPELINE["stages"]


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph("lacuna", "stages", cache_dir=None)


def is_harmless(module: str) -> bool:
    return module in ("lacuna", "stages") or any(f"{module}.".startswith(f"{name}.") for name in HARMLESS)


def file_of(module: str) -> str:
    path = module.replace(".", "/")
    return f"{path}/__init__.py" if (REPOSITORY / path).is_dir() else f"{path}.py"


def closure(imports: grimp.ImportGraph, module: str) -> set[str]:
    """Every module of the project that `module` reaches, imports inside functions included, and itself.

    The `__init__` of a package that only says what it is for is left out.
    """
    found, waiting = {module}, [module]
    while waiting:
        for imported in imports.find_modules_directly_imported_by(waiting.pop()) - found:
            found.add(imported)
            if not is_harmless(imported):
                waiting.append(imported)
    return {name for name in found if not is_harmless(name) and not says_only_what_it_is(name)}


def says_only_what_it_is(module: str) -> bool:
    path = REPOSITORY / file_of(module)
    return path.name == "__init__.py" and len(ast.parse(path.read_text(encoding="utf-8")).body) <= 1


def code_deps(name: str) -> set[str]:
    return {dep for dep in STAGES[name]["deps"] if dep.startswith(("lacuna/", "stages/"))}


def is_in(path: str, dep: str) -> bool:
    return path == dep or path.startswith(f"{dep}/")


def reruns(path: str) -> set[str]:
    """The stages that an edit of `path` starts again, and those that depend on their outs, in turn."""
    found = {name for name in STAGES if any(is_in(path, dep) or is_in(dep, path) for dep in code_deps(name))}
    waiting = list(found)
    while waiting:
        outs = outs_of(STAGES[waiting.pop()])
        for name, stage in STAGES.items():
            if name not in found and any(is_in(dep, out) for dep in stage["deps"] for out in outs):
                found.add(name)
                waiting.append(name)
    return found


def outs_of(stage: dict[str, Any]) -> set[str]:
    listed = [*stage.get("outs", []), *stage.get("metrics", []), *stage.get("plots", [])]
    return {next(iter(out)) if isinstance(out, dict) else out for out in listed}


@pytest.mark.parametrize("name", STAGES)
def test_deps_are_the_stage_and_the_packages_it_reaches(imports: grimp.ImportGraph, name: str) -> None:
    listed = code_deps(name)
    reached = {file_of(module) for module in closure(imports, f"stages.{name}")}
    reached = {path for path in reached if not path.startswith(ONLY_CHECKS.get(name, ("-",)))}

    missing = sorted(path for path in reached if not any(is_in(path, dep) for dep in listed))
    superfluous = sorted(dep for dep in listed if not any(is_in(path, dep) for path in reached))
    assert not missing, f"add to {name}'s deps in dvc.yaml: {', '.join(missing)}"
    assert not superfluous, f"{name} does not import these, remove them from its deps: {', '.join(superfluous)}"


def test_dvc_yaml_names_code_in_at_most_100_lines() -> None:
    assert sum(len(code_deps(name)) for name in STAGES) <= 100


@pytest.mark.parametrize("path", RERUN)
def test_an_edit_of_a_package_starts_these_stages(path: str) -> None:
    started = {name for name in STAGES if any(is_in(path, dep) for dep in code_deps(name))}
    expected = RERUN[path]
    if expected is None:
        assert started == set(STAGES) - {"check_params", "sample", "featurize"}
    else:
        assert started == expected


@pytest.mark.parametrize("path", UNTOUCHED)
def test_no_stage_depends_on_what_comes_after(path: str) -> None:
    assert (REPOSITORY / path).exists()
    assert reruns(path) == set()


def test_every_package_is_in_the_table() -> None:
    packages = {path.parent.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.glob("lacuna/**/__init__.py")}
    named = {*RERUN, *UNTOUCHED, *(name.replace(".", "/") for name in HARMLESS)}
    above = {"lacuna", "lacuna/analysis", "lacuna/data", "lacuna/features/backbones", "lacuna/data/labels/sources"}
    above |= {"lacuna/data/labels/annotations", "lacuna/data/labels/tables"}
    assert packages - named == above


@pytest.mark.parametrize(
    "path",
    [
        "evaluation/scoring.py",
        "evaluation/plots.py",
        "analysis",
        "inference",
        "monitoring",
        "presentation/style.py",
        "reporting",
        "serving",
        "tracking",
        "tuning",
    ],
)
def test_judging_and_showing_train_nothing_again(path: str) -> None:
    assert reruns(f"lacuna/{path}") & {"featurize", "train_warmup", "train_finetune", "train_baselines"} == set()


NOT_IN_A_CHECKPOINT = {
    "lacuna/calibration": "chooses among the trained candidates",
    "lacuna/stats": "solves the exact head, which needs no checkpoint, and draws and words the choice's intervals",
}
"""What the training stages depend on beside the code of a training, and why an interrupted one goes on regardless."""


def test_a_checkpoint_outlives_every_edit_that_trains_nothing_again() -> None:
    """The key of an interrupted training digests just the packages that shape its epochs."""
    packages = {f"lacuna/{package}" for package in CODE_OF_A_TRAINING}
    listed = [{dep for dep in code_deps(f"train_{phase}") if dep.startswith("lacuna/")} for phase in PHASES]
    assert all(packages <= deps for deps in listed)
    assert set().union(*listed) - packages == set(NOT_IN_A_CHECKPOINT)


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
            if isinstance(key, dict):
                assert key == {WHOLE_FILE: None}
                continue
            block: Any = params
            for part in key.split("."):
                assert part in block, f"{name}: params.yaml has no {key}"
                block = block[part]


def test_deps_of_a_stage_are_outs_of_another_or_files_of_the_project() -> None:
    outs = {out for stage in STAGES.values() for out in outs_of(stage)}
    for name, stage in STAGES.items():
        for dep in stage["deps"]:
            assert any(is_in(dep, out) for out in outs) or dep.startswith("${") or (REPOSITORY / dep).exists(), name


def test_stages_that_do_not_learn_load_no_keras(imports: grimp.ImportGraph) -> None:
    learn = {"featurize", "train_warmup", "train_finetune", "train_baselines", "explain", "export"}
    for name in set(STAGES) - learn:
        assert "lacuna.features.backend" not in closure(imports, f"stages.{name}"), name


def test_the_page_depends_on_all_params_because_it_shows_all() -> None:
    assert STAGES["report"]["params"] == [{WHOLE_FILE: None}]


def test_the_bundle_depends_on_all_params_but_those_that_shape_no_model() -> None:
    assert STAGES["bundle"]["params"] == [
        block for block in Params.model_fields if block not in WITHOUT_EFFECT_ON_MODEL
    ]


def test_trainings_depend_on_the_blocks_that_a_search_varies_those_of_the_features_and_what_chooses() -> None:
    trained = {key for phase in PHASES for key in STAGES[f"train_{phase}"]["params"]}
    assert {key.partition(".")[0] for key in trained - set(CHOICE_KEYS)} == set(TRAINING_BLOCKS)
    assert set(CHOICE_KEYS) < trained
    assert set(SEARCHED_BLOCKS) <= trained
    assert {key.partition(".")[0] for key in trained - set(SEARCHED_BLOCKS) - set(CHOICE_KEYS)} <= set(
        STAGES["featurize"]["params"]
    )


def test_what_the_choice_reads_re_runs_fine_tuning_and_other_calibration_does_not() -> None:
    assert {key for key in STAGES["train_finetune"]["params"] if key.startswith(("calibrate", "evaluate"))} == set(
        CHOICE_KEYS
    )
    assert not {"calibrate", "evaluate"} & {key.partition(".")[0] for key in STAGES["train_warmup"]["params"]}


@pytest.mark.parametrize("name", [name for name in STAGES if name != "check_params"])
def test_a_stage_lists_the_params_it_reads(name: str) -> None:
    """A block that is passed on whole, or copied, may be listed by those of its fields that matter to the stage."""
    listed = {key if isinstance(key, str) else WHOLE_FILE for key in STAGES[name].get("params", [])}
    if WHOLE_FILE in listed:
        return
    source = (REPOSITORY / f"stages/{name}.py").read_text(encoding="utf-8")
    read = re.findall(r"\bparams\.(?!yaml|model_dump)(\w+)(?:\.(?!model_copy)(\w+))?", source)
    used = set(read) - SEEN_IN_A_FILE.get(name, set())
    missing = sorted(
        f"{block}.{field}" if field else block
        for block, field in used
        if block not in listed
        and not (f"{block}.{field}" in listed if field else any(key.startswith(f"{block}.") for key in listed))
    )
    assert not missing, f"add to {name}'s params in dvc.yaml: {', '.join(missing)}"
