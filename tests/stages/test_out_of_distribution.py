import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lacuna.config.params import Params
from lacuna.core.manifest import Manifest
from lacuna.errors import LacunaError
from lacuna.inference.drift_reference import DriftReference
from lacuna.io.csv_files import write_csv
from stages.out_of_distribution import out_of_distribution
from tests.feature_files import write_store
from tests.ood_bundle import features_of, training_like_pictures
from tests.shards import save_rows
from tests.tiny_bundle import LAYOUT, SIZE, TARGETS

PARTS = {"train": 120, "val": 110, "test": 60}


@pytest.fixture
def exported(tiny_project, tmp_path) -> Params:
    """A project at the point where `out_of_distribution` runs: no label known, each validation image there twice."""
    for folder in ("data/images", "data/prepared", "models", "metrics", "plots"):
        Path(folder).mkdir(parents=True)
    n = sum(PARTS.values())
    pictures = training_like_pictures(n, 0)
    split = np.repeat(list(PARTS), list(PARTS.values()))
    copies = np.flatnonzero(split == "val")
    pictures, split = np.concatenate([pictures, pictures[copies]]), np.concatenate([split, split[copies]])
    save_rows("data/images/pixels", pictures)
    write_store(Path("data/features"), features_of(pictures), LAYOUT)
    names = np.array([f"{row}.png" for row in range(len(split))])
    files = [(name, "PNG", "RGB", SIZE, SIZE, 1000 + row) for row, name in enumerate(names)]
    write_csv(Path("data/images/files.csv"), ("image", "format", "mode", "width", "height", "bytes"), files)
    TARGETS.save(Path("data/prepared/targets.json"))
    group = np.concatenate([np.arange(n), copies])
    unknown = np.full((len(split), len(TARGETS)), -1, np.int16)
    manifest = Manifest(names, np.arange(len(split)), split, group, unknown)
    manifest.save(Path("data/prepared/manifest.csv"), TARGETS)
    return tiny_project({"data.image_size": SIZE})


def outs() -> dict[str, bytes]:
    return {
        path: Path(path).read_bytes()
        for path in (
            "models/out_of_distribution.npz",
            "metrics/out_of_distribution.json",
            "plots/out_of_distribution.png",
        )
    }


def test_it_tells_like_images_from_others_by_their_features_alone(exported, capsys):
    out_of_distribution(exported)
    found, reference = DriftReference.load(Path("models/out_of_distribution.npz"))
    assert (found.distance(features_of(training_like_pictures(50, 9))) > found.threshold).mean() < 0.1
    assert (found.distance(np.float32([[0, 0, 1], [0.4, 0.5, 0.7]])) > found.threshold).all()
    assert len(reference.properties) == len(reference.group) == 340  # training and validation, test images left out
    assert np.unique(reference.group).size == 230
    bytes_of_test = set(range(1230, 1290))
    assert not bytes_of_test & set(reference.properties.numeric["bytes"].tolist())
    assert reference.coordinates.shape == (110, 3)
    assert "note:" not in capsys.readouterr().out
    with Image.open("plots/out_of_distribution.png") as picture:
        assert picture.width > 800


def test_the_metrics_count_copies_once(exported):
    out_of_distribution(exported)
    metrics = json.loads(Path("metrics/out_of_distribution.json").read_text())
    assert (metrics["training_images"], metrics["validation_groups"], metrics["test_groups"]) == (120, 110, 60)
    assert metrics["false_alarms_asked"] == 0.01
    assert metrics["false_alarms_promised"] == pytest.approx(1 / 111)
    assert metrics["false_alarm_rate_low"] <= metrics["false_alarm_rate"] <= metrics["false_alarm_rate_high"]


def test_running_twice_writes_the_same_bytes(exported):
    out_of_distribution(exported)
    first = outs()
    out_of_distribution(exported)
    assert outs() == first


def test_a_sample_of_the_training_images_is_enough(exported, tiny_project):
    out_of_distribution(tiny_project({"data.image_size": SIZE, "out_of_distribution.images": 60}))
    assert json.loads(Path("metrics/out_of_distribution.json").read_text())["training_images"] == 60


def test_it_says_when_validation_is_too_small_for_the_rate(tiny_project, exported, capsys):
    out_of_distribution(tiny_project({"data.image_size": SIZE, "out_of_distribution.false_alarms": 0.001}))
    said = capsys.readouterr().out
    assert "note: validation has 110 images that are no copies of each other" in said
    assert "takes 999, promised are 0.9%" in said


def test_without_validation_images_it_stops_in_one_line(exported):
    path = Path("data/prepared/manifest.csv")
    path.write_text(path.read_text().replace(",val,", ",train,"))
    with pytest.raises(LacunaError, match=r"needs training and validation images: raise split\.val"):
        out_of_distribution(exported)
