import numpy as np
import pytest

from lacuna.config.blocks import Backbone
from lacuna.features.augmentation import Augmentation
from lacuna.features.augmentation_draws import draw_changes
from lacuna.features.backbones import build_backbone
from lacuna.features.freeze_boundary import cut
from lacuna.features.store import FeatureStore, plan_store, write_features
from lacuna.training.batches import FeatureBatches, ImageBatches

SIZE = 32
LITE0 = Backbone(name="efficientnet_lite0", weights="imagenet", input_size=0, interpolation="bilinear")


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def backbone():
    return build_backbone(LITE0, SIZE)


def store(folder, images, backbone, augment, max_gb=1.0, batch_size=5):
    folder.mkdir()
    write_features(folder, images, backbone, 27, augment, max_gb, batch_size)
    return FeatureStore.open(folder)


@pytest.fixture
def augment(tiny_project):
    return tiny_project({"augment.views": 3}).augment


def test_every_view_holds_what_the_frozen_layers_put_out(tmp_path, images, backbone, augment):
    written = store(tmp_path / "features", images, backbone, augment, batch_size=2)
    parts = cut(backbone, 27)
    assert written.boundary.shape == (5, 3, *parts.trunk.output_shape[1:])
    changes = draw_changes(augment, images, 2)
    third_view = np.asarray(Augmentation(augment.cutout)([images, changes]))
    for view, pictures in ((0, images), (2, third_view)):
        at_boundary = np.asarray(parts.trunk(pictures))
        np.testing.assert_allclose(written.boundary[:, view], at_boundary, rtol=2e-3, atol=2e-2)
        pooled = np.asarray(backbone(pictures)).mean(axis=(1, 2))
        np.testing.assert_allclose(written.pooled[:, view], pooled, rtol=1e-3, atol=1e-3)
    assert np.abs(written.pooled[:, 1] - written.pooled[:, 2]).max() > 0.1


@pytest.mark.slow
def test_twice_gives_the_same_bytes(tmp_path, images, backbone, augment):
    for name in ("one", "two"):
        store(tmp_path / name, images, backbone, augment)
    for file in ("boundary.npy", "pooled.npy", "features.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.slow
def test_no_views_or_too_large_features_leave_only_the_pooled_ones(tmp_path, images, backbone, augment):
    none = store(tmp_path / "none", images, backbone, augment.model_copy(update={"views": 0}))
    assert none.boundary is None
    assert none.pooled.shape == (5, 1, 1280)
    large = store(tmp_path / "large", images, backbone, augment, max_gb=1e-9)
    assert large.boundary is None
    assert large.pooled.shape == (5, 1, 1280)
    assert large.info.views == 0
    assert not (tmp_path / "large" / "boundary.npy").exists()


def test_what_is_kept_and_why_not():
    image, small, large = (224, 224, 3), (7, 7, 192), (112, 112, 16)
    assert plan_store(1000, image, small, 1280, views=4, max_gb=1) == (4, "")
    assert plan_store(1000, image, small, 1280, views=0, max_gb=1) == (0, "augment.views is 0")
    views, why = plan_store(1000, image, large, 1280, views=4, max_gb=1)
    assert views == 4
    assert "401,408 bytes, more than the image that the network sees (150,528)" in why
    views, why = plan_store(1_000_000, image, small, 1280, views=4, max_gb=50)
    assert views == 4
    assert "95.7 GB, more than features.max_gb (50)" in why


@pytest.mark.slow
def test_an_enlarged_image_is_compared_as_the_network_sees_it(tmp_path, augment):
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    enlarging = build_backbone(LITE0.model_copy(update={"weights": "none", "input_size": 64}), 8)
    written = store(tmp_path / "features", images, enlarging, augment)
    assert written.boundary is not None  # 1,536 bytes of 2 x 2 x 192 halves, against 192 stored and 12,288 seen
    assert written.boundary[0, 0].nbytes > images[0].nbytes
    parts = cut(enlarging, 27)
    np.testing.assert_allclose(written.boundary[:, 0], parts.trunk(images), rtol=2e-3, atol=2e-2)


@pytest.mark.slow
def test_an_image_is_never_stored_as_its_own_features(tmp_path, augment):
    images = np.zeros((4, 8, 8, 3), np.uint8)
    enlarging = build_backbone(LITE0.model_copy(update={"weights": "none", "input_size": 64}), 8)
    (tmp_path / "features").mkdir()
    info = write_features(tmp_path / "features", images, enlarging, "all", augment, 1.0, 2)
    assert info.streamed == "every layer of the backbone learns"
    assert info.boundary == "image"


def test_pooled_features_alone_can_be_too_much():
    assert plan_store(10_000_000, (224, 224, 3), (7, 7, 192), 1280, views=4, max_gb=50)[0] == 0


def test_an_epoch_brings_every_image_once_in_one_of_its_views():
    features = np.arange(10 * 4, dtype=np.float16).reshape(10, 4, 1)
    batches = FeatureBatches(features, np.array([1, 3, 5, 7, 9]), batch_size=2, seed=0)
    chosen, inputs = zip(*batches.epoch(1), strict=True)
    order, values = np.concatenate(chosen), np.concatenate(inputs)[:, 0]
    assert sorted(order) == [0, 1, 2, 3, 4]
    assert (values // 4 == batches.rows[order]).all()
    views = {int(v % 4) for epoch in range(20) for _, x in batches.epoch(epoch) for v in x[:, 0]}
    assert views == {0, 1, 2, 3}
    assert np.concatenate(list(batches.clean()))[:, 0].tolist() == [4, 12, 20, 28, 36]


def test_order_and_views_derive_from_seed_and_epoch():
    features = np.arange(40, dtype=np.float16).reshape(10, 4, 1)
    rows = np.arange(10)

    def values(seed, epoch):
        return np.concatenate([x for _, x in FeatureBatches(features, rows, 3, seed).epoch(epoch)])[:, 0].tolist()

    assert values(0, 1) == values(0, 1)
    assert values(0, 1) != values(0, 2)
    assert values(0, 1) != values(1, 1)


def test_image_batches_change_images_anew_in_every_epoch(images, augment):
    batches = ImageBatches(images, augment, np.array([4, 0, 2]), batch_size=2, seed=0)
    (first, (pictures, changes)), _ = batches.epoch(1)
    np.testing.assert_array_equal(pictures, images[batches.rows[first]])
    by_row = [
        {int(row): c.tobytes() for chosen, (_, x) in batches.epoch(epoch) for row, c in zip(chosen, x, strict=True)}
        for epoch in (1, 2)
    ]
    assert all(by_row[0][row] != by_row[1][row] for row in range(3))
    assert len(changes) == 2
