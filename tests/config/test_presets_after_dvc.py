"""params.yaml as `dvc exp run -S` leaves it: lists below each other, other quotes."""

from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from lacuna.config.presets import use_preset, write_values

REPOSITORY = Path(__file__).parents[2]
PRESETS = REPOSITORY / "presets"


@pytest.fixture
def params_file(tmp_path: Path) -> Path:
    path = tmp_path / "params.yaml"
    path.write_bytes((REPOSITORY / "params.yaml").read_bytes())
    return path


def comments(text: str) -> list[str]:
    return [line.partition("#")[2] for line in text.splitlines() if "#" in line]


def test_a_preset_undoes_an_experiment(params_file: Path) -> None:
    """ruamel hangs the comments behind a list on its last item: with that they were lost, and the file was broken."""
    committed = params_file.read_text()
    apply_overrides(str(params_file), ["finetune.epochs=1", "features.sizes=[224,128]"])
    assert "\n  - 128\n" in params_file.read_text()
    changes = use_preset("default", params_file, PRESETS, None)
    assert changes.values == [("features.sizes", [224, 128], [224]), ("finetune.epochs", 1, 6)]
    text, yaml = params_file.read_text(), YAML(typ="safe", pure=True)
    assert yaml.load(text) == yaml.load(committed)
    assert comments(text) == comments(committed)


def test_init_writes_into_it(params_file: Path) -> None:
    apply_overrides(str(params_file), ["finetune.epochs=1"])
    write_values(params_file, {"data": {"unknown": ["", "a, b", "?"], "encoding": "latin-1"}})
    content = YAML(typ="safe", pure=True).load(params_file)
    assert (content["data"]["unknown"], content["finetune"]["epochs"]) == (["", "a, b", "?"], 1)


def test_a_list_with_comments_inside_is_replaced_too(params_file: Path) -> None:
    committed = params_file.read_text()
    params_file.write_text(committed.replace("  sizes: [224]", "  sizes:\n  - 224  # one\n  - 128  # two\n", 1))
    use_preset("default", params_file, PRESETS, None)
    yaml = YAML(typ="safe", pure=True)
    assert yaml.load(params_file.read_text()) == yaml.load(committed)
