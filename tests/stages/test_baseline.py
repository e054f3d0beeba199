"""The stage baseline on small images whose red channel is the label."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lacuna.consistency import save_relations
from lacuna.features import FeatureInfo
from lacuna.files import read_json, sha256, write_json
from lacuna.manifest import Manifest
from lacuna.predictions import Predictions
from lacuna.targets import Target, Targets
from stages.baseline import baseline

TARGETS = Targets(
    (Target("kind", "categorical", ("bag", "shoe", "hat")), Target("red", "binary", ("absent", "present")))
)
N, SIZE = 120, 16
OUTS = ("metrics/baseline.json", "plots/baseline.png")


@pytest.fixture
def project(tiny_project):
    """A function that writes what train_finetune leaves behind; the network's logits are as good as `skill`."""

    def make(skill=8.0, seed_of_test=0):
        params = tiny_project(
            {
                "backbone.name": "small_cnn",
                "backbone.weights": "none",
                "evaluate.bootstrap": 60,
                "baseline.cnn_size": 8,
                "baseline.cnn_epochs": 2,
                "data.image_size": SIZE,
            }
        )
        random = np.random.default_rng(0)
        labels = np.stack([np.arange(N) % 3, np.arange(N) % 2], axis=1).astype(np.int16)
        images = random.integers(0, 100, (N, SIZE, SIZE, 3), dtype=np.uint8)
        images[labels[:, 1] == 1, :, :, 0] += 150
        pooled = random.normal(size=(N, 2, 128)).astype(np.float32)
        pooled[:, :, 0] += 4 * labels[:, 1:]
        truth = labels.copy()
        labels[random.random(labels.shape) < 0.2] = -1
        split = np.array(["train"] * 60 + ["val"] * 40 + ["test"] * 20)
        hidden = np.random.default_rng(seed_of_test)
        images[100:] = hidden.integers(0, 256, (20, SIZE, SIZE, 3), dtype=np.uint8)
        pooled[100:] = hidden.normal(size=(20, 2, 128))
        labels[100:] = hidden.integers(-1, 2, (20, 2))
        for folder in ("images", "prepared", "features", "predictions"):
            Path("data", folder).mkdir(parents=True, exist_ok=True)
        np.save("data/images/images.npy", images)
        np.save("data/features/pooled.npy", pooled)
        info = FeatureInfo("image", 2, "every layer of the backbone learns", "0")
        write_json(Path("data/features/features.json"), vars(info))
        TARGETS.save(Path("data/prepared/targets.json"))
        names, rows = np.array([f"{i}.png" for i in range(N)]), np.arange(N, dtype=np.int64)
        Manifest(names, rows, split, rows, labels).save(Path("data/prepared/manifest.csv"), TARGETS)
        save_relations(Path("data/prepared/hierarchy.json"), ())
        statistics = {}
        for index, target in enumerate(TARGETS):
            known = labels[:60, index][labels[:60, index] >= 0]
            counts = np.bincount(known, minlength=target.n_classes).tolist()
            statistics[target.name] = {"known_share": len(known) / 60, "counts": counts, "weights": [1.0] * len(counts)}
        write_json(Path("data/prepared/class_weights.json"), statistics)
        logits = random.normal(size=(N, 4)).astype(np.float32)
        logits[:, :3] += skill * np.eye(3)[truth[:, 0]]
        logits[:, 3] += skill * (2 * truth[:, 1] - 1)
        val = slice(60, 100)
        Predictions(logits[val], labels[val], names[val], rows[val]).save(Path("data/predictions/val.npz"))
        return params

    return make


def test_every_model_stands_beside_the_trained_one(project, capsys):
    facts = baseline(project())
    content = read_json(Path("metrics/baseline.json"))
    assert list(content["models"]) == ["class_shares", "nearest_neighbours", "linear_probe", "small_cnn", "trained"]
    scores = {name: model["targets"]["red"]["roc_auc"] for name, model in content["models"].items()}
    assert scores["class_shares"] == 0.5
    assert scores["linear_probe"] > 0.8
    assert scores["trained"] > 0.9
    assert content["gains"]["class_shares"]["macro"]["roc_auc_low"] > 0
    assert content["models"]["class_shares"]["parameters"] == 4
    assert content["models"]["linear_probe"]["parameters"] == 93_248 + 129 * 4
    assert content["models"]["nearest_neighbours"]["parameters"] == 93_248 + 60 * 128
    assert set(facts["training_seconds"]) == {"linear_probe", "small_cnn"}
    printed = capsys.readouterr().out
    assert "small CNN epoch 1" in printed
    assert facts["notes"][0] in printed
    with Image.open("plots/baseline.png") as image:
        assert 400 < image.width < 1800


def test_a_network_without_skill_is_called_so(project):
    baseline(project(skill=0))
    verdicts = read_json(Path("metrics/baseline.json"))["verdicts"]
    assert verdicts["macro"].startswith("does not beat")
    assert verdicts["red"].startswith("does not beat")


def test_the_same_bytes_again_whatever_the_test_part_holds(project):
    digests = []
    for seed in (0, 0, 1):
        baseline(project(seed_of_test=seed))
        digests.append([sha256(Path(out)) for out in OUTS])
    assert digests[0] == digests[1] == digests[2]
