"""The command `estimate`: what it prints, what it refuses, and that it leaves nothing behind."""

import os
import subprocess

import numpy as np
import pytest
from PIL import Image

from lacuna.cli import main
from lacuna.estimate.image_rates import measure_images
from lacuna.estimate.learning_rates import fabricate_labels, fabricate_predictions
from lacuna.estimate.network_rates import measure_network
from lacuna.estimate.report import Prices, cost_table, describe_rates, limits_of
from lacuna.estimate.scale import Scale
from lacuna.estimate.stage_costs import StageCost, extrapolate
from tests.estimate.made_up_rates import RATES
from tests.onnx_files import write_tiny
from tests.tiny_project import REPOSITORY

COSTS = [
    StageCost("ingest", seconds=7200, memory=3e9, disk=50e9, read=20e9, law="linear"),
    StageCost("train_warmup", seconds=1800, memory=8e15, disk=0, read=1e9, law="n · columns²"),
]


def test_a_line_for_each_stage_and_one_for_all():
    assert cost_table(COSTS, Prices()).splitlines() == [
        "stage         processor h  memory GB  disk GB  read GB  grows",
        "ingest               2.00       3.00     50.0     20.0  linear",
        "train_warmup         0.50  8,000,000        0     1.00  n · columns²",
        "all                  2.50  8,000,000     50.0     21.0",
    ]


def test_what_has_a_price_is_multiplied_by_it():
    lines = [line.split() for line in cost_table(COSTS, Prices(cpu_hour=0.5, gb_month=0.1)).splitlines()]
    assert lines[1] == ["ingest", "2.00", "3.00", "50.0", "20.0", "1.00", "5.00", "linear"]
    assert lines[3][5:] == ["1.25", "5.00"]
    assert "disk a month" not in cost_table(COSTS, Prices(cpu_hour=0.5))


def test_gpu_hours_stay_a_formula_and_their_price_too(tiny_project):
    scale = Scale(tiny_project({}), 3_600_000, 1)
    said = "\n".join(limits_of(COSTS, 2, scale, Prices(gpu_hour=2.5)))
    assert "2,000 / (images per second) hours, which cost 5,000 / (images per second)" in said


def test_it_says_what_does_not_fit_into_the_memory_of_this_machine(tiny_project):
    said = limits_of(COSTS, 1, Scale(tiny_project({}), 1, 1), Prices())[-1]
    assert "train_warmup (8,000,000 GB)" in said
    assert "ingest" not in said


def test_rates_are_named_with_what_they_were_measured_on(tiny_project):
    scale = Scale(tiny_project({}), 1000, 2)
    said = describe_rates(RATES, scale)
    assert "10.0 ms a file" in said
    assert "20.0 kB, images of data.path" in said
    assert "1,000 MB a second" in said
    assert "efficientnet_lite0 at 160 px, 100 columns" in said
    assert extrapolate(RATES, scale)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--images", "5", "0"], "--images 0: expected 1 or more"),
        (["--targets", "-3"], "--targets -3: expected 1 or more"),
        (["--cpu-hour", "-1"], "--cpu-hour -1: expected a price, 0 or more"),
        (["--gb-month", "nan"], "--gb-month nan: expected a price, 0 or more"),
    ],
)
def test_a_mistake_is_told_in_one_line_before_anything_is_measured(options, said, tiny_project, capsys):
    tiny_project({})
    assert main(["estimate", *options]) == 1
    assert capsys.readouterr() == ("", f"error: {said}\n")


def test_without_params_it_says_where_to_run_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["estimate"]) == 1
    assert capsys.readouterr().err == "error: params.yaml: no such file; run from the project's root folder\n"


def test_the_readers_own_images_are_measured_where_there_are_some(tiny_project, tmp_path):
    folder = tmp_path / "own"
    (folder / "below").mkdir(parents=True)
    for place in ("a.png", "below/b.png"):
        Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(folder / place)
    (folder / "broken.jpg").write_bytes(b"no image")
    data = tiny_project({"data.path": str(folder), "data.image_size": 32}).data
    found = measure_images(data)
    assert found.own
    assert found.decoding.file_bytes == pytest.approx(2 * (folder / "a.png").stat().st_size / 3)


def test_fabricated_labels_have_gaps_and_every_class(tiny_project):
    targets = Scale(tiny_project({}), 1, 3, 4).measured_targets()
    labels = fabricate_labels(targets, 5000, 0)
    assert labels.shape == (5000, 2)
    assert (labels < 0).mean() == pytest.approx(0.4, abs=0.02)
    assert set(labels.ravel().tolist()) == {-1, 0, 1, 2, 3}


@pytest.mark.parametrize("classes", [2, 3])
def test_fabricated_logits_know_a_part_of_the_labels(classes, tiny_project):
    targets = Scale(tiny_project({}), 1, 1, classes).measured_targets()
    predictions = fabricate_predictions(targets, 2000, 0)
    known = predictions.labels[:, 0] >= 0
    logits = predictions.logits[known]
    said = (logits[:, 0] > 1).astype(int) if classes == 2 else logits.argmax(axis=1)
    assert 0.7 < (said == predictions.labels[known, 0]).mean() < 0.98


@pytest.mark.slow
@pytest.mark.parametrize("classes", ["2", "12"])
def test_the_command_measures_prints_and_leaves_nothing_behind(classes, tiny_project, tmp_path, python):
    tiny_project({"backbone.name": "small_cnn", "backbone.weights": "none", "data.image_size": 32})
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    done = subprocess.run(
        [
            python / "python",
            "-m",
            "lacuna",
            "estimate",
            "--images",
            "20000",
            "30000",
            "--targets",
            "1",
            "--classes",
            classes,
        ],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == "measuring images, labels, learning and the network\n"
    measured, small, large, _ = done.stdout.split("\n\n")
    assert "fabricated photos" in measured
    lines = small.splitlines()
    assert lines[0] == f"20,000 images, 1 target of {classes} classes, extrapolated"
    assert [line.split()[0] for line in lines[-4:-1]] == ["audit", "predict", "all"]
    assert large.startswith("30,000 images, 1 target")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_network_of_ones_own_is_measured_from_its_file(tiny_project, tmp_path):
    write_tiny(tmp_path / "own.onnx")
    changes = {"backbone.name": "onnx", "backbone.weights": "own.onnx", "data.image_size": 32, "finetune.epochs": 0}
    measured = measure_network(tiny_project(changes))
    assert measured.columns == 3 + 3 + 4
    assert (measured.step, measured.boundary) == (0.0, ())
