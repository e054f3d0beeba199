"""The stage baseline on made-up answers of the simple models and of a network that is as good as `skill`."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lacuna.core.predictions import Predictions
from lacuna.core.relations import save_relations
from lacuna.core.targets import Target, Targets
from lacuna.io.atomic import read_json, sha256, write_json
from stages.baseline import baseline
from tests.project_population import write_population
from tests.trained_model import random_head

TARGETS = Targets(
    (Target("kind", "categorical", ("bag", "shoe", "hat")), Target("red", "binary", ("absent", "present")))
)
N = 120
SKILLS = {"class_shares": 0, "nearest_neighbours": 1, "linear_probe": 1.5, "small_cnn": 1}
OUTS = ("metrics/baseline.json", "plots/baseline.png")


@pytest.fixture
def project(tiny_project):
    """A function that writes what train_baselines and train_finetune leave behind."""

    def make(skill=8.0):
        params = tiny_project({"evaluate.bootstrap": 60})
        random = np.random.default_rng(0)
        truth = np.stack([np.arange(N) % 3, np.arange(N) % 2], axis=1).astype(np.int16)
        labels = np.where(random.random(truth.shape) < 0.2, -1, truth).astype(np.int16)
        names, rows = np.array([f"{i}.png" for i in range(N)]), np.arange(N, dtype=np.int64)
        for name, skilled in {**SKILLS, "trained": skill}.items():
            noise = random.normal(size=(N, 4)) if name != "class_shares" else 0
            signal = np.concatenate([np.eye(3)[truth[:, 0]], 2 * truth[:, 1:] - 1], axis=1)
            logits = (skilled * signal + noise).astype(np.float32)
            path = "data/predictions/val.npz" if name == "trained" else f"data/baselines/{name}.npz"
            Predictions(logits, labels, names, rows).save(Path(path))
        TARGETS.save(Path("data/predictions/targets.json"))
        write_population(params)
        sizes = {name: 10 * place for place, name in enumerate(SKILLS, start=1)}
        write_json(Path("data/baselines/parameters.json"), {"backbone": 1000, "models": sizes})
        Path("models/trained").mkdir(parents=True, exist_ok=True)
        random_head(7, 4, hidden_units=5).save(Path("models/trained/head.npz"))
        Path("data/prepared").mkdir(parents=True, exist_ok=True)
        save_relations(Path("data/prepared/hierarchy.json"), ())
        return params

    return make


def test_every_model_stands_beside_the_trained_one(project, capsys):
    params = project()
    record = {"training_seconds": {"small_cnn": 12.4}, "ms_per_image": {"small_cnn": 0.71}}
    write_json(Path("runs/train_baselines.json"), record)
    for phase, seconds in (("warmup", 3), ("finetune", 30)):
        write_json(Path(f"runs/train_{phase}.json"), {"seconds": seconds})
    facts = baseline(params)
    content = read_json(Path("metrics/baseline.json"))
    assert list(content["models"]) == ["class_shares", "nearest_neighbours", "linear_probe", "small_cnn", "trained"]
    scores = {name: model["targets"]["red"]["roc_auc"] for name, model in content["models"].items()}
    assert scores["class_shares"] == 0.5
    assert 0.7 < scores["linear_probe"] < 1
    assert scores["trained"] == 1
    assert content["gains"]["class_shares"]["macro"]["roc_auc_low"] > 0
    assert {name: model["parameters"] for name, model in content["models"].items()} == {
        "class_shares": 10,
        "nearest_neighbours": 20,
        "linear_probe": 30,
        "small_cnn": 40,
        "trained": 1000 + 2 * 7 + 8 * 4 + 8 * 5 + 5 * 4,
    }
    lines = capsys.readouterr().out.splitlines()
    assert next(line for line in lines if line.startswith("small CNN")).split()[-4:] == ["12", "s", "0.7", "ms"]
    assert next(line for line in lines if line.startswith("trained")).split()[-2:] == ["33", "s"]
    assert facts["notes"][0] in lines
    with Image.open("plots/baseline.png") as image:
        assert 400 < image.width < 1800


def test_fine_tuned_layers_count_where_they_stand_beside_the_pretrained_ones(project):
    import h5py

    params, sizes = project(), []
    for tuned in (False, True):
        if tuned:
            with h5py.File("models/trained/tail.weights.h5", "w") as file:
                file["layers/b2/vars/0"] = np.zeros((3, 5))
        baseline(params)
        sizes.append(read_json(Path("metrics/baseline.json"))["models"]["trained"]["parameters"])
    assert sizes[1] - sizes[0] == 15


def test_times_of_other_machines_are_left_out(project, capsys):
    """DVC can restore what was trained elsewhere; no record of it lies in runs/ then."""
    baseline(project())
    assert " ms" not in capsys.readouterr().out


def test_a_network_without_skill_is_called_so(project):
    baseline(project(skill=0))
    verdicts = read_json(Path("metrics/baseline.json"))["verdicts"]
    assert verdicts["macro"].startswith("does not beat")
    assert verdicts["targets"]["red"].startswith("does not beat")


def test_the_same_bytes_again(project):
    digests = []
    for _ in range(2):
        baseline(project())
        digests.append([sha256(Path(out)) for out in OUTS])
    assert digests[0] == digests[1]
