import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lacuna.cli import main
from lacuna.config.load import load_params
from lacuna.inference.batch_prediction import format_prediction
from lacuna.inference.output_files import WRITERS
from lacuna.inference.prediction import Prediction, TargetPrediction
from lacuna.inference.runtimes import RUNTIMES
from tests.tiny_bundle import write_tiny_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return str(write_tiny_bundle(tmp_path_factory.mktemp("cli") / "bundle"))


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    (folder / ".thumbnails").mkdir()
    for name, colour in (
        ("red.png", "red"),
        ("black.PNG", "black"),
        ("more/green.jpg", "lime"),
        (".thumbnails/x.png", "red"),
    ):
        Image.new("RGB", (40, 30), colour).save(folder / name)
    (folder / "labels.txt").write_text("red.png 1\n")
    return folder


def command(*arguments, cwd=None, **options):
    """Run the command line as a user does, in its own process."""
    root = Path(__file__).parents[1]
    return subprocess.run(
        [sys.executable, "-m", "lacuna", *map(str, arguments)],
        cwd=cwd or root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def test_predict_prints_what_was_detected_then_what_was_not(bundle, photos, capsys):
    assert main(["predict", str(photos / "red.png"), str(photos / "black.PNG"), "--bundle", bundle]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    red, black = said.out.rstrip().split("\n\n")
    assert red.splitlines()[0] == str(photos / "red.png")
    assert [line.split() for line in red.splitlines()[1:]] == [
        ["colour", "green", "0.50"],
        ["red", "present", "0.73", "(from", "0.60)"],
    ]
    assert [line.split() for line in black.splitlines()[1:]] == [
        ["colour", "green", "0.50"],
        ["not", "detected:", "red", "0.38"],
    ]


def test_columns_are_aligned():
    def binary(probability):
        return TargetPrediction("binary", "1", True, 0.25, {"0": 1 - probability, "1": probability})

    category = TargetPrediction(
        "categorical", "Animals & Nature", None, None, {"Animals & Nature": 0.875, "Food": 0.125}
    )
    text = format_prediction(Prediction("a.jpg", {"category": category, "face": binary(0.5), "round": binary(0.25)}))
    assert text.splitlines() == [
        "a.jpg",
        "  category  Animals & Nature  0.88",
        "  face      present           0.50  (from 0.25)",
        "  round     present           0.25  (from 0.25)",
    ]


def test_a_folder_stands_for_its_visible_images(bundle, photos, capsys):
    assert main(["predict", str(photos), "--json", "--bundle", bundle]) == 0
    images = json.loads(capsys.readouterr().out)["images"]
    names = [Path(image["image"]).relative_to(photos).as_posix() for image in images]
    assert names == ["black.PNG", "more/green.jpg", "red.png"]
    assert [image["targets"]["red"]["detected"] for image in images] == [False, False, True]


def test_a_folder_without_images_is_a_mistake(bundle, tmp_path, capsys):
    assert main(["predict", str(tmp_path), "--bundle", bundle]) == 1
    assert capsys.readouterr().err == f"error: {tmp_path}: no image in this folder\n"


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_an_unreadable_image_is_named_and_the_others_are_predicted(form, bundle, photos, capsys):
    (photos / "broken.png").write_bytes(b"\x89PNG")
    missing = photos / "missing.png"
    paths = [str(photos / "broken.png"), str(photos / "red.png"), str(missing)]
    assert main(["predict", *paths, "--bundle", bundle, *form]) == 0
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        f"error: {photos / 'broken.png'}: not an image of a known format",
        f"error: {missing}: no such file",
    ]
    assert "red.png" in said.out
    if form:
        assert [("error" in image) for image in json.loads(said.out)["images"]] == [True, False, True]
    else:
        assert "broken.png" not in said.out


@pytest.mark.parametrize("runtime", ["openvino", "onnx"])
def test_a_process_of_its_own_predicts_reports_to_nobody_and_leaves_nothing_at_home(
    runtime, bundle, photos, tmp_path, monkeypatch
):
    for name in ("CI", "ORT_DISABLE_TELEMETRY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    done = command("predict", photos / "red.png", "--bundle", bundle, "--runtime", runtime)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "present" in done.stdout
    assert list((tmp_path / "home").rglob("*")) == []


def test_predict_loads_nothing_but_what_predicting_needs(bundle, photos):
    script = (
        "import sys; from lacuna.cli import main; "
        f"main(['predict', {str(photos / 'red.png')!r}, '--bundle', {bundle!r}]); "
        "print(sorted({m.partition('.')[0] for m in sys.modules} & "
        "{'dvc', 'keras', 'mlflow', 'pandas', 'ruamel', 'scipy', 'sklearn', 'tensorflow', 'onnxruntime', 'absl'}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_missing_bundle_is_one_line(photos, capsys):
    assert main(["predict", str(photos / "red.png"), "--bundle", "nowhere"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: nowhere/bundle.json: no such file; make the bundle by `dvc repro`")
    assert len(said.err.splitlines()) == 1


def test_a_reader_that_leaves_early_causes_no_traceback(bundle, tmp_path):
    for number in range(300):
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / f"{number}_{'x' * 100}.png")
    pipeline = f"{sys.executable} -m lacuna predict {tmp_path} --json --bundle {bundle} | head -n 1"
    root = Path(__file__).parents[1]
    done = subprocess.run(["bash", "-c", pipeline], cwd=root, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ('{"images": [\n', "")


@pytest.mark.parametrize("arguments", [[], ["predict"], ["predict", "a.jpg", "--runtime", "torch"], ["compare", "one"]])
def test_a_wrong_command_line_shows_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m lacuna" in capsys.readouterr().err


@pytest.fixture
def project(tiny_project, tmp_path, repository):
    """The working folder with params.yaml set to the default and the presets."""
    tiny_project({})
    (tmp_path / "presets").symlink_to(repository / "presets")
    main(["use", "default"])


def test_use_prints_each_change_as_old_and_new(project, capsys):
    capsys.readouterr()
    assert main(["use", "aimonk"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(maxsplit=1) for line in lines[:3]] == [
        ["data.source", "table → labels_txt"],
        ["data.path", "data/sample/images → data/raw/images"],
        ["data.labels", "data/sample/labels.csv → data/raw/labels.txt"],
    ]
    assert any(line.split() == ["data.group_column", "concept", "→", '""'] for line in lines)
    assert any(line.split() == ["augment.vertical_flip", "false", "→", "true"] for line in lines)
    assert lines[-1].startswith(f"params.yaml: {len(lines) - 1} values changed")
    assert load_params(Path("params.yaml")).data.source == "labels_txt"

    assert main(["use", "aimonk"]) == 0
    assert capsys.readouterr().out.startswith("params.yaml: 0 values changed")


def test_use_says_which_keys_have_another_name_now(project, tmp_path, capsys):
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("\nout_of_distribution:\n", "\nfamiliarity:\n"))
    Path("mine.yaml").write_text("tune:\n  figure: f1\n")
    capsys.readouterr()
    assert main(["use", "mine.yaml"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "params.yaml: familiarity is called out_of_distribution now",
        "mine.yaml: tune.figure is called tune.metric now; write tune.metric there",
        "tune.metric  average_precision → f1",
        "params.yaml: 1 value changed; `dvc repro` runs what depends on them",
    ]


def test_use_says_where_data_that_is_not_there_comes_from(project, capsys):
    assert main(["use", "fashion_mnist"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: data/raw: not there yet; `python -m lacuna fetch fashion_mnist` puts the four idx")
    Path("data/raw").mkdir(parents=True)
    assert main(["use", "fashion_mnist"]) == 0
    assert capsys.readouterr().err == ""


def test_fetch_says_where_each_file_comes_from(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lacuna.data.fetch.FASHION_MNIST_PACKAGE", tmp_path / "nowhere")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "nowhere"))
    assert main(["fetch", "fashion_mnist", "--url", "http://127.0.0.1:9"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: http://127.0.0.1:9/train-images-idx3-ubyte.gz: cannot be downloaded (")
    assert "into data/raw yourself" in line


def test_use_takes_the_folder_of_the_data(project, tmp_path):
    (tmp_path / "garments").mkdir()
    assert main(["use", "aimonk", "--data", "garments"]) == 0
    assert load_params(Path("params.yaml")).data.labels == "garments/labels.txt"


def test_use_of_an_unknown_preset_is_one_line(project, capsys):
    assert main(["use", "nothing"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "error: no preset 'nothing': expected aimonk, chest_xray, default, fashion_mnist, fashion_products"
    )


def help_of(name, capsys):
    with pytest.raises(SystemExit):
        main([name, "--help"])
    return " ".join(capsys.readouterr().out.split())


def runtimes_in(text):
    return re.findall(r"--runtime \{([\w,-]+)\}", text)[0].split(",")


def test_the_command_line_offers_every_runtime_and_format_that_there_is(capsys):
    predict = help_of("predict", capsys)
    assert runtimes_in(predict) == list(RUNTIMES)
    assert set(re.findall(r"\.\w+\b", re.search(r"--out FILE write (.*?) --", predict)[1])) == set(WRITERS)
    without_keras = [name for name, runtime in RUNTIMES.items() if not runtime.needs_keras]
    assert runtimes_in(help_of("serve", capsys)) == without_keras
