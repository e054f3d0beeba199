"""Fine-tuning beside a fixed head, what may be kept of it, and the network that is built again from what was saved."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from lacuna.core.feature_store import FeatureLayout, FeatureStore
from lacuna.core.manifest import Manifest
from lacuna.core.scores import activate, log_loss
from lacuna.errors import LacunaError
from lacuna.features.stages import build_extractor, feature_network
from lacuna.features.write_store import write_features
from lacuna.training.candidates import candidates_of
from lacuna.training.data import TrainingData, head_logits
from lacuna.training.fine_tuning import fine_tune
from lacuna.training.phases import warm_up
from lacuna.training.statistics import TargetStatistics
from lacuna.training.trained import load_trained, read_trained
from tests.shards import save_rows
from tests.tiny_project import write_params
from tests.training_arrays import TARGETS

N, SIZE = 48, 32
SMALL = {
    "augment.views": 2,
    "features.stages": ["b10", "b15"],
    "finetune.unfreeze": "top",
    "finetune.epochs": 4,
    "finetune.learning_rate": 0.001,
    "finetune.patience": 4,
    "optimizer.schedule": "constant",
    "head.dropout": 0.0,
    "train.batch_size": 12,
}
SMALL_CNN = {
    "backbone.name": "small_cnn",
    "backbone.weights": "none",
    "features.stages": "all",
    "features.sizes": [16],
    "finetune.unfreeze": "b2",
}
"""Its maps take more than an image does: fine-tuning reads images."""

CLOSE = 5e-3
"""Boundary maps are stored in 16 bits: so much may logits of the same image differ."""


def silent(row):
    """What a search hands in, so that nothing is printed."""


@pytest.fixture(scope="module")
def arrays():
    """Images whose colour tells one target and whose upper half the other, and their manifest."""
    random = np.random.default_rng(0)
    labels = np.stack([np.arange(N) % 3, np.arange(N) // 3 % 2], axis=1).astype(np.int16)
    images = random.integers(0, 120, (N, SIZE, SIZE, 3), dtype=np.uint8)
    for kind in range(3):
        images[labels[:, 0] == kind, :, :, kind] += 60
    images[labels[:, 1] == 1, :16] += 70
    labels[random.random(labels.shape) < 0.15] = -1
    rows = np.arange(N)
    split = np.array(["train"] * 24 + ["val"] * 15 + ["test"] * 9)
    return images, Manifest(np.array([f"{i}.png" for i in range(N)]), rows, split, rows, labels)


@pytest.fixture(scope="module")
def project(arrays, tmp_path_factory):
    """A function from changed parameters to what training reads then: parameters and data; features computed once."""
    images, manifest = arrays
    stored = {}

    def make(changes=None):
        params = write_params(tmp_path_factory.mktemp("params"), SMALL | (changes or {}))
        key = str((params.backbone, params.augment, params.features, params.finetune.unfreeze))
        if key not in stored:
            folder = tmp_path_factory.mktemp("features")
            stored[key] = folder / "features"
            save_rows(folder / "pixels", images)
            extractor = build_extractor(params.backbone, params.features, SIZE)
            limits = params.features.max_gb, folder / "kept"
            write_features(stored[key], folder / "pixels", extractor, params.augment, params.finetune.unfreeze, *limits)
        statistics = []
        for index, target in enumerate(TARGETS):
            known = manifest.part("train").labels[:, index]
            counts = np.bincount(known[known >= 0], minlength=target.n_classes).tolist()
            statistics.append(TargetStatistics(sum(counts) / 24, tuple(counts), (1.0,) * target.n_classes))
        return params, TrainingData(TARGETS, statistics, manifest, FeatureStore.open(stored[key]), images)

    return make


READ = [pytest.param({}, id="boundary maps", marks=pytest.mark.slow), pytest.param(SMALL_CNN, id="images")]
"""What fine-tuning reads. A larger network has smaller maps, and takes seconds to be built each time."""


@pytest.fixture(scope="module", params=READ)
def tuned(project, request):
    """A fine-tuning whose best epoch is one of its own, from a head that knows hardly more than the classes' shares."""
    params, data = project(request.param)
    assert (data.store.boundary is None) is bool(request.param)
    head = warm_up(with_l2(params, 1e4), data).head
    candidates, tuned = candidates_of(params, data, head, on_epoch=silent)
    return SimpleNamespace(params=params, data=data, head=head, candidates=candidates, tuned=tuned)


def with_l2(params, l2):
    return params.model_copy(
        update={"warmup": params.warmup.model_copy(update={"l2": dict.fromkeys(TARGETS.names, l2)})}
    )


def test_fine_tuning_starts_at_the_head(tuned):
    first = tuned.tuned.history[0]
    params, data = tuned.params, tuned.data
    slowly = params.finetune.model_copy(update={"learning_rate": 1e-12, "epochs": 1})
    still, _ = candidates_of(params.model_copy(update={"finetune": slowly}), data, tuned.head, on_epoch=silent)
    for part in ("val", "test"):
        expected = head_logits(tuned.head, data, part)
        np.testing.assert_array_equal(still["head"].logits[part], expected)
        for other in still.values():
            np.testing.assert_allclose(other.logits[part], expected, atol=1e-4)
    assert first["epoch"] == 0
    assert "log_loss" not in first


def test_the_candidates_are_the_head_and_half_and_all_of_what_is_added(tuned):
    assert tuned.tuned.best_epoch > 0
    assert list(tuned.candidates) == ["head", "mean", "fine-tuned"]
    layout = tuned.data.store.info.layout
    head, mean, whole = tuned.candidates.values()
    assert (head.layout, head.tail) == (layout, None)
    assert mean.layout == whole.layout == FeatureLayout((*layout.blocks, tuned.tuned.tail.block))
    assert mean.tail is whole.tail is tuned.tuned.tail
    for part in ("val", "test"):
        np.testing.assert_array_equal(head.logits[part], head_logits(tuned.head, tuned.data, part))
        np.testing.assert_allclose(whole.logits[part], tuned.tuned.logits[part], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(mean.logits[part], (head.logits[part] + whole.logits[part]) / 2, atol=1e-5)
        assert np.abs(whole.logits[part] - head.logits[part]).max() > 0.01


@pytest.mark.parametrize("changes", READ)
def test_not_residual_the_labels_are_learned_whatever_the_head_has_and_mixed_with_it(project, changes):
    params, data = project({"finetune.residual": False} | changes)
    head = warm_up(params, data).head
    candidates, tuned = candidates_of(params, data, head, on_epoch=silent)
    _, beside_another = candidates_of(params, data, head.scaled(3), on_epoch=silent)
    assert tuned.best_epoch > 0
    assert tuned.history[0]["val_log_loss"] > tuned.history[tuned.best_epoch]["val_log_loss"]
    rows, columns = data.manifest.part("val").row, data.store.info.layout.n_columns
    extractor = build_extractor(params.backbone, params.features, SIZE)
    _, boundary = feature_network(extractor, tuned.tail.boundary)(data.images[rows])
    features = np.hstack([data.store.features[rows, 0], np.asarray(tuned.tail.means(boundary))])
    for part in ("val", "test"):
        alone, of_head = tuned.logits[part], head_logits(head, data, part)
        np.testing.assert_array_equal(beside_another.logits[part], alone)
        np.testing.assert_allclose(candidates["fine-tuned"].logits[part], alone, atol=1e-5)
        np.testing.assert_allclose(candidates["mean"].logits[part], (of_head + alone) / 2, atol=1e-5)
    for name in ("mean", "fine-tuned"):
        np.testing.assert_allclose(candidates[name].head.logits(features), candidates[name].logits["val"], atol=CLOSE)
    assert not candidates["fine-tuned"].head.weights[:columns].any()


def test_the_logits_are_those_of_the_wider_head_on_the_tails_means(tuned):
    data, tail = tuned.data, tuned.tuned.tail
    rows = data.manifest.part("val").row
    extractor = build_extractor(tuned.params.backbone, tuned.params.features, SIZE)
    _, boundary = feature_network(extractor, tail.boundary)(data.images[rows])
    features = np.hstack([data.store.features[rows, 0], np.asarray(tail.means(boundary))])
    for name in ("mean", "fine-tuned"):
        candidate = tuned.candidates[name]
        np.testing.assert_allclose(candidate.head.logits(features), candidate.logits["val"], atol=CLOSE)


def test_the_layers_below_the_boundary_and_the_head_stay_as_they_are(tuned):
    fresh = build_extractor(tuned.params.backbone, tuned.params.features, SIZE).body
    changed = {
        after.path.split("/")[0]
        for before, after in zip(fresh.weights, tuned.tuned.tail.body.weights, strict=True)
        if not np.array_equal(before, after)
    }
    assert len(changed) == 1
    assert changed <= {"top_conv", "b2_conv"}
    columns, wider = tuned.data.store.info.layout.n_columns, tuned.candidates["fine-tuned"].head
    np.testing.assert_array_equal(wider.weights[:columns], tuned.head.weights)
    np.testing.assert_array_equal(wider.bias, tuned.head.bias)
    learned = sum(int(np.prod(weight.shape)) for weight in tuned.tuned.tail.means.trainable_weights)
    channels = tuned.tuned.tail.block.channels
    assert tuned.tuned.parameters["parameters_trained"] == learned + channels * TARGETS.n_logits
    assert 0 < learned < tuned.tuned.parameters["parameters"]


def test_where_no_epoch_is_better_than_the_head_it_is_the_only_candidate(project):
    params, data = project(SMALL_CNN | {"finetune.learning_rate": 3.0, "finetune.epochs": 9})
    head = warm_up(params, data).head
    candidates, tuned = candidates_of(params, data, head, on_epoch=silent)
    assert list(candidates) == ["head"]
    assert tuned.best_epoch == 0
    assert len(tuned.history) == 2  # epoch 0 and one more
    np.testing.assert_allclose(tuned.logits["val"], candidates["head"].logits["val"], atol=1e-5)


@pytest.mark.slow
def test_a_search_reads_no_test_image_and_gets_its_epochs(project):
    params, data = project({"finetune.epochs": 1})
    unreadable = replace(
        data.manifest, labels=np.where(data.manifest.split[:, None] == "test", 99, data.manifest.labels)
    )
    rows = []
    candidates, tuned = candidates_of(
        params, replace(data, manifest=unreadable), warm_up(params, data).head, on_epoch=rows.append, predict=("val",)
    )
    assert [set(candidate.logits) for candidate in candidates.values()] == [{"val"}] * len(candidates)
    assert rows == tuned.history[1:]


@pytest.mark.slow
def test_from_images_fine_tuning_starts_where_it_starts_from_boundary_maps(project):
    params, stored = project({"finetune.epochs": 1})
    fresh_params, fresh = project({"finetune.epochs": 1, "augment.views": 0})
    assert (stored.store.boundary is None, fresh.store.boundary is None) == (False, True)
    head = warm_up(params, stored).head
    from_maps = fine_tune(params, stored, head, on_epoch=silent, predict=())
    from_images = fine_tune(fresh_params, fresh, head, on_epoch=silent, predict=())
    first, other = from_maps.history[0], from_images.history[0]
    assert first == pytest.approx(other, rel=1e-4)
    labels, logits = stored.manifest.part("val").labels[:, 1], head_logits(head, stored, "val")
    assert first["val_log_loss_red"] == pytest.approx(log_loss(labels, activate(TARGETS[1], logits[:, 3:])), rel=1e-4)


@pytest.mark.slow
def test_every_layer_may_be_fine_tuned(project, tmp_path):
    params, data = project(SMALL_CNN | {"finetune.unfreeze": "all", "features.sizes": [24, 16]})
    head = warm_up(with_l2(params, 1e4), data).head
    candidates, tuned = candidates_of(params, data, head, on_epoch=silent)
    assert tuned.best_epoch > 0
    candidates["fine-tuned"].save(tmp_path, "fine-tuned", "all")
    network = load_trained(params.backbone, params.features, SIZE, TARGETS, tmp_path)
    logits = network.model(data.images[data.manifest.part("test").row])
    np.testing.assert_allclose(logits, candidates["fine-tuned"].logits["test"], atol=CLOSE)


@pytest.mark.parametrize("name", ["head", "mean", "fine-tuned"])
def test_the_network_from_the_folder_gives_the_candidates_logits(tuned, tmp_path, name):
    candidate, images = tuned.candidates[name], tuned.data.images
    candidate.save(tmp_path, name, tuned.params.finetune.unfreeze)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "head.npz", "model.json", *(["tail.weights.h5"] if name != "head" else []),
    ]  # fmt: skip
    assert read_trained(tmp_path).kept == name
    network = load_trained(tuned.params.backbone, tuned.params.features, SIZE, TARGETS, tmp_path)
    assert (network.tail is None) is (name == "head")
    logits, features, *maps = network.with_maps(images[tuned.data.manifest.part("test").row])
    np.testing.assert_allclose(logits, candidate.logits["test"], atol=CLOSE)
    assert features.shape[1] == candidate.layout.n_columns
    assert len(maps) == len(candidate.layout.map_names)


@pytest.mark.slow
@pytest.mark.parametrize("changes", READ)
def test_a_hidden_layer_goes_through_fine_tuning_and_back(project, tmp_path, changes):
    params, data = project(
        changes | {"warmup.solver": "sgd", "warmup.learning_rate": 1e-5, "warmup.epochs": 1, "head.hidden_units": 8}
    )
    warm = warm_up(params, data, on_epoch=silent)
    candidates, tuned = candidates_of(params, data, warm.head, on_epoch=silent)
    assert tuned.best_epoch > 0
    rows = data.manifest.part("test").row
    for name, candidate in candidates.items():
        assert candidate.head.n_hidden == 8
        folder = tmp_path / name
        folder.mkdir()
        candidate.save(folder, name, params.finetune.unfreeze)
        network = load_trained(params.backbone, params.features, SIZE, TARGETS, folder)
        np.testing.assert_allclose(network.model(data.images[rows]), candidate.logits["test"], atol=CLOSE)


@pytest.mark.slow
def test_a_folder_of_other_features_or_without_a_file_is_named(tuned, tmp_path):
    tuned.candidates["mean"].save(tmp_path, "mean", tuned.params.finetune.unfreeze)
    features = tuned.params.features

    def load(**changes):
        return load_trained(tuned.params.backbone, features.model_copy(update=changes), SIZE, TARGETS, tmp_path)

    with pytest.raises(LacunaError, match=r"trained on other features than params\.yaml names; run `dvc repro"):
        load(stages="top")
    with pytest.raises(LacunaError, match=r"head\.npz does not fit model\.json or the targets"):
        load_trained(tuned.params.backbone, features, SIZE, TARGETS.take([0]), tmp_path)
    (tmp_path / "tail.weights.h5").unlink()
    with pytest.raises(LacunaError, match="fine-tuned layers: "):
        load()
    (tmp_path / "head.npz").unlink()
    with pytest.raises(LacunaError, match=r"head\.npz: no such file"):
        load()
