import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from lacuna.config.load import load_params
from lacuna.config.presets import missing_data, preset_names, use_preset
from lacuna.errors import LacunaError

REPOSITORY = Path(__file__).parents[2]
PRESETS = REPOSITORY / "presets"
OTHERS = [name for name in preset_names(PRESETS) if name != "default"]


@pytest.fixture(scope="module")
def default_text(tmp_path_factory):
    """What params.yaml holds, set to the default data."""
    path = tmp_path_factory.mktemp("default") / "params.yaml"
    path.write_bytes((REPOSITORY / "params.yaml").read_bytes())
    use_preset("default", path, PRESETS, None)
    return path.read_bytes()


@pytest.fixture
def params_file(tmp_path, default_text):
    """Such a file, to be changed."""
    path = tmp_path / "params.yaml"
    path.write_bytes(default_text)
    return path


def use(preset: str, params_file: Path, data_folder: str | None = None) -> dict[str, tuple[Any, Any]]:
    changes = use_preset(preset, params_file, PRESETS, data_folder)
    return {key: (before, after) for key, before, after in changes.values}


def flat(path: Path) -> dict[str, Any]:
    content = YAML(typ="safe", pure=True).load(path)
    return {f"{block}.{key}": value for block, values in content.items() for key, value in values.items()}


@pytest.mark.parametrize("name", OTHERS)
def test_a_preset_sets_its_values_and_no_others(name, params_file):
    before, preset = flat(params_file), flat(PRESETS / f"{name}.yaml")
    changes = use(name, params_file)
    assert flat(params_file) == {**before, **preset}
    assert changes == {key: (before[key], value) for key, value in preset.items() if before[key] != value}
    load_params(params_file)


@pytest.mark.parametrize("name", OTHERS)
def test_default_undoes_a_preset_to_the_byte(name, params_file):
    text = params_file.read_bytes()
    use(name, params_file)
    assert params_file.read_bytes() != text
    use("default", params_file)
    assert params_file.read_bytes() == text
    assert use("default", params_file) == {}


@pytest.mark.parametrize("name", OTHERS)
def test_every_comment_stays_two_spaces_behind_its_value(name, params_file):
    comments = [line.partition("#")[2] for line in params_file.read_text().splitlines() if "#" in line]
    use(name, params_file)
    lines = [line for line in params_file.read_text().splitlines() if "#" in line]
    assert [line.partition("#")[2] for line in lines] == comments
    assert all(line.startswith("#") or "  # " in line for line in lines)


def test_the_result_does_not_depend_on_the_preset_before(params_file):
    use("fashion_products", params_file)
    text = params_file.read_bytes()
    use("aimonk", params_file)
    use("fashion_products", params_file)
    assert params_file.read_bytes() == text


def test_values_that_no_preset_knows_stay_as_the_user_set_them(params_file):
    text = params_file.read_text()
    params_file.write_text(text.replace("experiment: lacuna", "experiment: mine"))
    use("aimonk", params_file)
    assert load_params(params_file).track.experiment == "mine"


def test_default_knows_every_key_that_another_preset_changes():
    default = flat(PRESETS / "default.yaml")
    for name in OTHERS:
        assert flat(PRESETS / f"{name}.yaml").keys() <= default.keys()


def test_default_is_what_params_yaml_holds_at_first():
    params, default = flat(REPOSITORY / "params.yaml"), flat(PRESETS / "default.yaml")
    if params["data.path"] != default["data.path"]:
        pytest.skip("params.yaml is set to other data")
    assert {key: params[key] for key in default} == default


@pytest.mark.parametrize("name", preset_names(PRESETS))
def test_a_preset_says_how_to_run_it_and_what_to_expect(name):
    header = (PRESETS / f"{name}.yaml").read_text().partition("\n\n")[0]
    assert f"python -m lacuna use {name}" in header
    assert "dvc repro" in header
    assert "Expected: " in header


def test_fashion_products_has_at_least_six_categorical_targets(params_file):
    use("fashion_products", params_file)
    targets = load_params(params_file).data.kinds
    assert len(targets) >= 6
    assert set(targets.values()) == {"categorical"}


def test_the_users_data_folder_takes_the_place_of_data_raw(params_file, tmp_path):
    folder = tmp_path / "my photos: 2024 # best"
    folder.mkdir()
    use("aimonk", params_file, str(folder))
    data = load_params(params_file).data
    assert data.path == f"{folder}/images"
    assert data.labels == f"{folder}/labels.txt"


@settings(derandomize=True, max_examples=12)
@given(name=st.text(st.characters(exclude_characters="/\x00", exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_any_folder_name_survives_the_file(name, tmp_path_factory):
    root = tmp_path_factory.mktemp("any")
    folder = root / name
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return
    path = root / "params.yaml"
    path.write_bytes((REPOSITORY / "params.yaml").read_bytes())
    use("aimonk", path, str(folder))
    assert load_params(path).data.path == (folder / "images").as_posix()


def test_data_folders_that_cannot_be_used_change_nothing(params_file, tmp_path):
    text = params_file.read_bytes()
    with pytest.raises(LacunaError, match="--data missing: no such folder"):
        use("aimonk", params_file, "missing")
    with pytest.raises(LacunaError, match=r"default\.yaml brings its own data .* leave --data out"):
        use("default", params_file, str(tmp_path))
    assert params_file.read_bytes() == text


def test_an_unknown_preset_lists_those_that_exist(params_file):
    names = ", ".join(preset_names(PRESETS))
    with pytest.raises(LacunaError, match=f"no preset 'aimonkey': expected {names}, or the path"):
        use("aimonkey", params_file)


@pytest.mark.parametrize("name", OTHERS)
def test_a_preset_whose_data_is_not_there_says_where_to_put_it_and_where_it_comes_from(
    name, params_file, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    use(name, params_file)
    said = missing_data(name, params_file, PRESETS)
    assert re.match(r"data/raw\S*( and data/raw\S*)?: not there yet; .+ --data", said)
    assert "\n" not in said
    data = load_params(params_file).data
    for place in (data.path, data.labels):
        Path(place).mkdir(parents=True, exist_ok=True)
    assert missing_data(name, params_file, PRESETS) is None


def test_data_that_a_given_folder_lacks_is_named(params_file, tmp_path):
    (tmp_path / "images").mkdir()
    use("aimonk", params_file, str(tmp_path))
    assert missing_data("aimonk", params_file, PRESETS).startswith(f"{tmp_path}/labels.txt: not there yet; put the")


def test_the_default_brings_its_data(params_file, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert missing_data("default", params_file, PRESETS) is None


def with_old_names(path: Path) -> str:
    """Write params.yaml as it was before the keys were renamed; return what it holds by their new names."""
    text = path.read_text()
    old = text.replace("\nout_of_distribution:\n", "\nfamiliarity:\n").replace("  images: 5000 ", "  images: 4000 ")
    old = old.replace("  metric: average_precision ", "  figure: average_precision ")
    path.write_text(old)
    return text.replace("  images: 5000 ", "  images: 4000 ")


SIZES = "  sizes: [224]  # of the image\n"


def with_moved_keys(path: Path, side: str) -> str:
    """Write params.yaml as it was when the size stood in `backbone`, at the end of it, and alone; return what it holds
    now."""
    text = re.sub(r"  sizes: \[224\] .*\n", SIZES, path.read_text())
    old = re.sub(r"(  interpolation: .*\n)", rf"\1  input_size: {side}  # of the image\n", text.replace(SIZES, ""))
    old = re.sub(r"(  max_gb: .*\n)", r"\1  batch_size: 32  # images per step\n", old)
    path.write_text(old)
    return text


@pytest.mark.parametrize("side", ["224", "96", "0"])
def test_a_key_that_went_to_another_block_keeps_its_comment_and_leaves_the_next_blocks(params_file, side, tmp_path):
    expected = with_moved_keys(params_file, side)
    empty = tmp_path / "mine.yaml"
    empty.write_text("train:\n  seed: 0\n")
    changes = use_preset(str(empty), params_file, PRESETS, None)
    assert changes.renamed == [(params_file, "backbone.input_size", "features.sizes")]
    assert changes.removed == [(params_file, "features.batch_size")]
    assert params_file.read_text() == expected
    assert changes.values == ([] if side == "224" else [("features.sizes", [int(side)], [224])])


def test_a_key_that_is_new_stands_in_its_block(params_file):
    text = re.sub(r"  stages: all .*\n", "", params_file.read_text())
    params_file.write_text(text)
    use("default", params_file)
    assert params_file.read_text() == text.replace("\nfeatures:\n", "\nfeatures:\n  stages: all\n")


def test_a_moved_key_in_a_preset_of_the_user_sets_the_new_one(params_file, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("backbone:\n  input_size: 96\n")
    changes = use_preset(str(mine), params_file, PRESETS, None)
    assert changes.renamed == [(mine, "backbone.input_size", "features.sizes")]
    assert load_params(params_file).features.sizes == (96,)
    assert "  sizes: [96]  # " in params_file.read_text()


def test_keys_by_old_names_get_the_new_ones_and_keep_values_comments_and_places(params_file):
    expected = with_old_names(params_file)
    changes = use_preset("default", params_file, PRESETS, None)
    assert changes.values == []
    assert changes.renamed == [
        (params_file, "familiarity", "out_of_distribution"),
        (params_file, "tune.figure", "tune.metric"),
    ]
    assert params_file.read_text() == expected
    assert load_params(params_file).out_of_distribution.images == 4000
    assert use_preset("default", params_file, PRESETS, None).renamed == []


def test_old_names_in_a_preset_of_the_user_set_what_the_new_ones_name(params_file, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("familiarity:  # stricter\n  false_alarms: 0.05\n")
    changes = use_preset(str(mine), params_file, PRESETS, None)
    assert changes.renamed == [(mine, "familiarity", "out_of_distribution")]
    assert changes.values == [("out_of_distribution.false_alarms", 0.01, 0.05)]
    assert mine.read_text() == "familiarity:  # stricter\n  false_alarms: 0.05\n"
    assert load_params(params_file).out_of_distribution.false_alarms == 0.05


def test_a_key_by_both_names_is_left_to_the_user(params_file):
    text = params_file.read_text() + "familiarity:\n  images: 100\n"
    params_file.write_text(text)
    with pytest.raises(LacunaError, match=r"familiarity is the old name of out_of_distribution, .*; remove"):
        use_preset("default", params_file, PRESETS, None)
    assert params_file.read_text() == text


def test_a_preset_may_be_any_file(params_file, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("train:\n  gamma: 1.0\n")
    assert use(str(mine), params_file) == {"train.gamma": (2.0, 1.0)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("train:\n  gama: 1.0\n", r"params.yaml with .*mine.yaml: train.gama: unknown key, did you mean gamma?"),
        ("train:\n  gamma: -1.0\n", r"train.gamma: expected greater than or equal to 0, received -1.0"),
        ("train: 3\n", r"train: expected keys with values below it, received 3"),
        ("data:\n  targets: 7\n", r"data.targets: expected keys with values below it, received 7"),
        ("- train\n", r"mine.yaml: expected blocks of parameters, such as"),
        ("", r"mine.yaml: expected blocks of parameters, such as"),
        ("a: [\n", r"mine.yaml: not valid YAML"),
    ],
)
def test_a_wrong_preset_stops_with_one_line_and_changes_nothing(content, message, params_file, tmp_path):
    text = params_file.read_bytes()
    mine = tmp_path / "mine.yaml"
    mine.write_text(content)
    with pytest.raises(LacunaError, match=message) as caught:
        use(str(mine), params_file)
    assert "\n" not in str(caught.value)
    assert params_file.read_bytes() == text


def test_a_missing_params_file_says_where_to_run(tmp_path):
    with pytest.raises(LacunaError, match="run from the project's root folder"):
        use("default", tmp_path / "params.yaml")
