"""The stage featurize, and what tells DVC when it has to run."""

from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from lacuna.core.feature_store import FeatureStore
from stages.check_params import check_params
from stages.featurize import featurize
from tests.shards import save_rows

SMALL_CNN = {"backbone.name": "small_cnn", "backbone.weights": "none", "augment.views": 2}


@pytest.fixture
def project(tiny_project):
    """A function that writes the parameters, runs the stage on three images and returns its facts and the store."""

    def run(changes):
        params = tiny_project(SMALL_CNN | changes)
        Path("data/images").mkdir(parents=True, exist_ok=True)
        images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
        save_rows("data/images/pixels", images)
        return featurize(params), FeatureStore.open(Path("data/features"))

    return run


def test_without_fine_tuning_only_the_clean_view_is_computed(project, capsys):
    facts, store = project({"finetune.epochs": 0})
    assert facts == {
        "images": 3,
        "columns": 320,
        "views": 1,
        "boundary": "",
        "streamed": "finetune.epochs was 0 when they were computed",
    }
    assert store.features.shape == (3, 1, 320)
    assert "fine-tuning" not in capsys.readouterr().out


def test_fine_tuning_that_will_read_images_is_announced(project, capsys):
    facts, store = project({"finetune.unfreeze": "all"})
    assert store.boundary is None
    assert (facts["views"], facts["boundary"]) == (1, "image")
    assert "fine-tuning will read images and run every layer in each epoch: every layer" in capsys.readouterr().out


def test_sizes_and_stages_are_those_of_the_parameters(project):
    _, store = project({"finetune.epochs": 0, "features.sizes": [24, 0], "features.stages": ["b1"]})
    assert [(b.size, b.stage, b.statistic) for b in store.info.layout.blocks] == [
        (size, *column) for size in (24, 16) for column in (("b1", "mean"), ("b1", "deviation"), ("b2", "mean"))
    ]
    assert store.features.shape[2] == store.info.layout.n_columns == 2 * (64 + 64 + 128)


def test_more_epochs_change_nothing_that_featurize_depends_on(tiny_project, repository):
    said = []
    for epochs in (0, 5, 8):
        check_params(tiny_project({"finetune.epochs": epochs}))
        said.append(Path("data/fine_tuning.txt").read_text())
    assert said == ["fine-tuning: no\n", "fine-tuning: yes\n", "fine-tuning: yes\n"]
    stage = YAML(typ="safe").load(repository / "dvc.yaml")["stages"]["featurize"]
    assert "data/fine_tuning.txt" in stage["deps"]
    assert not {"finetune", "finetune.epochs"} & set(stage["params"])
