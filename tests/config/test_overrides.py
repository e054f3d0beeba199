"""The overrides that the documentation shows, put into params.yaml by DVC itself, as `dvc exp run -S` does."""

import re
import shutil
from pathlib import Path

import pytest
from dvc.exceptions import InvalidArgumentError
from dvc.utils.hydra import apply_overrides

from lacuna.config.load import load_params
from lacuna.config.params import FREE_MAPPINGS, Params
from lacuna.errors import LacunaError

REPOSITORY = Path(__file__).parents[2]

SHOWN = sorted(
    {
        override.strip("'")
        for page in (REPOSITORY / "README.md", REPOSITORY / "params.yaml", *(REPOSITORY / "docs").glob("*.md"))
        for override in re.findall(r"-S ('[^']+'|[a-z_.]+=[\w./-]+)", page.read_text(encoding="utf-8"))
    }
)


@pytest.fixture
def params_file(tmp_path):
    path = tmp_path / "params.yaml"
    shutil.copy(REPOSITORY / "params.yaml", path)
    return path


@pytest.fixture
def override(params_file):
    def apply(*overrides: str) -> Params:
        apply_overrides(params_file, list(overrides))
        return load_params(params_file)

    return apply


def test_dvc_takes_every_override_that_is_shown(params_file):
    assert len(SHOWN) > 20
    entries_before = [f"~{shown[1:].partition('=')[0]}" for shown in SHOWN if re.match(r"\+\w", shown)]
    apply_overrides(params_file, [*entries_before, *SHOWN])


def test_every_parameter_with_names_of_the_users_own_takes_them_as_documented(override):
    page = (REPOSITORY / "docs/training.md").read_text(encoding="utf-8")
    shown = re.findall(r"-S '\+\+([\w.]+)=", page)
    assert set(shown) == FREE_MAPPINGS
    before = load_params(REPOSITORY / "params.yaml")
    params = override(
        "++calibrate.rules={face: min_recall}",
        "++train.target_weights={category: 2.0}",
        "++data.targets={colour: categorical}",
        "++tune.space={head.hidden_units: {low: 0, high: 64}}",
        "++warmup.l2={face: 0.1}",
    )
    assert params.calibrate.rules == {"face": "min_recall"}
    assert params.train.target_weights == {"category": 2.0}
    assert params.warmup.l2 == {"face": 0.1}
    assert params.data.kinds == {**before.data.kinds, "colour": "categorical"}
    assert list(params.tune.space) == [*before.tune.space, "head.hidden_units"]
    assert params.tune.space["head.hidden_units"].named_values == {"low": 0, "high": 64}


def test_entries_are_taken_away_and_written_anew_as_documented(override):
    assert "person" not in override("~data.targets.person").data.targets
    space = override("~tune.space", "+tune.space={train.gamma: {low: 0.0, high: 3.0}}").tune.space
    assert list(space) == ["train.gamma"]


def test_without_the_plus_signs_dvc_refuses_a_new_name(override):
    with pytest.raises(InvalidArgumentError):
        override("calibrate.rules={face: min_recall}")


def test_an_override_by_an_old_name_is_answered_with_the_new_one(override):
    with pytest.raises(LacunaError, match=r"params\.yaml: familiarity: renamed, write out_of_distribution"):
        override("+familiarity.images=100")
