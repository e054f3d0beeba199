from pathlib import Path

import numpy as np
import pytest

from lacuna.config.backbone import Backbone
from lacuna.config.blocks import Augment, Features
from lacuna.core.feature_store import ColumnBlock, FeatureInfo, FeatureLayout, FeatureStore
from lacuna.errors import LacunaError
from lacuna.features.augmentation_draws import draw_changes
from lacuna.features.backend import keras
from lacuna.features.freeze_boundary import cut
from lacuna.features.stages import Extractor, build_extractor, feature_network
from lacuna.features.write_store import CHANGED_AT_ONCE, changer, enumerate_views, plan_store, write_features
from lacuna.io.sharded_array import checksum
from lacuna.training.batches import FeatureBatches, ImageBatches
from tests.shards import save_rows

SIZE = 24
AUGMENT = Augment(
    views=3, horizontal_flip=True, vertical_flip=False, rotation=0.1, zoom=0.1, brightness=0.1, contrast=0.3,
    saturation=0.3, cutout=0.2, seed=0,
)  # fmt: skip


def extractor() -> Extractor:
    """Two layers, the map between them smaller than the image."""
    image = x = keras.Input((SIZE, SIZE, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(x)
    for name, channels, stride in (("b0_conv", 4, 4), ("b1_conv", 8, 2)):
        draws = keras.initializers.GlorotUniform(seed=stride)
        x = keras.layers.Conv2D(
            channels, 5, strides=stride, padding="same", activation="relu", kernel_initializer=draws, name=name
        )(x)
    blocks = [("b0", "mean", 4), ("b0", "deviation", 4), ("b1", "mean", 8)]
    layout = FeatureLayout(tuple(ColumnBlock(SIZE, *block, top=block[0] == "b1") for block in blocks))
    return Extractor({("", SIZE): keras.Model(image, x)}, layout)


def store(folder: Path, images, of=None, unfreeze="b1", augment=AUGMENT, max_gb=1.0) -> FeatureStore:
    folder.mkdir()
    pixels = folder.with_name("pixels")
    save_rows(pixels, images)
    write_features(folder, pixels, of or extractor(), augment, unfreeze, max_gb, folder.with_name("kept"))
    return FeatureStore.open(folder)


def views_of(images):
    """Three views of each image with their numbers."""
    return enumerate_views(images, range(len(images)), changer(AUGMENT, SIZE), 3)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (CHANGED_AT_ONCE + 3, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def written(images, tmp_path_factory) -> tuple[Path, FeatureStore]:
    folder = tmp_path_factory.mktemp("store") / "features"
    return folder, store(folder, images)


def test_every_view_holds_what_the_frozen_layers_put_out(written, images):
    _, found = written
    whole, trunk = feature_network(extractor()), cut(extractor().body, "b1").trunk
    assert found.features.shape == (len(images), 3, found.info.layout.n_columns)
    assert found.features.dtype == np.float32
    assert found.boundary.shape == (len(images), 3, *trunk.output_shape[1:])
    assert found.info.streamed == ""
    assert found.info.boundary == cut(extractor().body, "b1").boundary
    pictures = {divmod(number, 3): picture for number, picture in views_of(images)}
    assert len(pictures) == 3 * len(images)
    for view in range(3):
        seen = np.stack([pictures[row, view] for row in range(len(images))])
        np.testing.assert_allclose(found.features[:, view], whole(seen), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(found.boundary[:, view], trunk(seen), rtol=2e-3, atol=1e-3)
        assert np.array_equal(seen, images) is (view == 0)


def test_pooled_features_are_a_part_of_the_features(written):
    _, found = written
    assert found.pooled.shape == (*found.features.shape[:2], 8)
    np.testing.assert_array_equal(found.pooled, found.features[:, :, -8:])


def test_the_order_of_the_images_changes_the_order_of_the_rows_alone(written, images, tmp_path):
    _, found = written
    order = np.random.default_rng(1).permutation(len(images))[: CHANGED_AT_ONCE + 1]  # the last one has no neighbour
    shuffled = store(tmp_path / "shuffled", images[order])
    np.testing.assert_array_equal(shuffled.features, found.features[order])
    np.testing.assert_array_equal(shuffled.boundary, found.boundary[order])


def test_twice_gives_the_same_bytes(written, images, tmp_path):
    folder, found = written
    store(tmp_path / "again", images)
    assert sorted(file.name for file in folder.iterdir()) == ["boundary", "features", "features.json"]
    for file in folder.rglob("*.*"):
        assert file.read_bytes() == (tmp_path / "again" / file.relative_to(folder)).read_bytes()
    assert found.info.checksum == checksum(folder / "features")


def test_without_fine_tuning_there_is_the_clean_view_alone(images, written, tmp_path):
    clean = store(tmp_path / "clean", images, unfreeze=None)
    assert clean.boundary is None
    assert (clean.info.views, clean.info.boundary) == (1, "")
    assert clean.info.streamed == "finetune.epochs was 0 when they were computed"
    assert sorted(file.name for file in (tmp_path / "clean").iterdir()) == ["features", "features.json"]
    np.testing.assert_allclose(clean.features, written[1].features[:, :1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"augment": AUGMENT.model_copy(update={"views": 0})}, "augment.views is 0"),
        ({"unfreeze": "all"}, "every layer of the backbone learns"),
    ],
)
def test_what_is_not_kept_for_fine_tuning_leaves_the_clean_view_alone(images, tmp_path, changes, reason):
    found = store(tmp_path / "features", images[:2], **changes)
    assert reason in found.info.streamed
    assert found.boundary is None
    assert found.features.shape[:2] == (2, 1)
    assert not (tmp_path / "features/boundary").exists()


@pytest.mark.slow
def test_a_resized_image_is_compared_as_the_network_sees_it(tmp_path):
    small = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    backbone = Backbone(
        name="efficientnet_lite0", weights="none", interpolation="bilinear", mean=(0, 0, 0), std=(1, 1, 1)
    )
    resizing = build_extractor(backbone, Features(sizes=(64,), stages="top", max_gb=1.0), 8)
    found = store(tmp_path / "features", small, resizing, unfreeze=27)
    assert found.boundary is not None
    assert small[0].nbytes < found.boundary[0, 0].nbytes < 64 * 64 * 3


def test_what_is_kept_and_why_not():
    image, small, large = (224, 224, 3), (7, 7, 192), (112, 112, 16)
    assert plan_store(1000, image, small, 1280, views=4, max_gb=1) == (4, "")
    assert plan_store(1000, image, small, 1280, views=0, max_gb=1) == (1, "augment.views is 0")
    assert plan_store(1000, None, image, 1280, views=4, max_gb=9) == (1, "every layer of the backbone learns")
    views, why = plan_store(1000, image, large, 1280, views=4, max_gb=1)
    assert views == 1
    assert "401,408 bytes, more than the image that the network sees (150,528)" in why


def test_more_than_the_limit_is_an_error_that_names_every_way_out():
    with pytest.raises(LacunaError, match=r"take 95.7 GB, more than 50. Raise features.max_gb, or take less") as raised:
        plan_store(1_000_000, (224, 224, 3), (7, 7, 192), 1280, views=4, max_gb=50)
    assert "augment.views: 0" in str(raised.value)
    assert "finetune.epochs: 0" in str(raised.value)


def test_an_augmented_image_depends_on_no_other_and_on_no_thread(images):
    """Contrast turns about the image's mean, which a sum of floats would give other last bits among other images."""
    by_number = dict(views_of(images))
    for row in (0, 5, len(images) - 1):
        alone = dict(views_of(images[row : row + 1]))
        for view in range(3):
            np.testing.assert_array_equal(alone[view], by_number[3 * row + view])
    assert not np.array_equal(draw_changes(AUGMENT, images, 1), draw_changes(AUGMENT, images, 2))


def test_info_is_read_as_it_was_written(tmp_path):
    layout = FeatureLayout((ColumnBlock(96, "b0", "deviation", 8), ColumnBlock(96, "top", "mean", 16, top=True)))
    info = FeatureInfo(layout, "b0_add", 2, "", "ab12")
    info.save(tmp_path)
    assert FeatureInfo.load(tmp_path) == info


def test_the_store_is_read_without_keras(written):
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from lacuna.core.feature_store import FeatureStore; "
        f"FeatureStore.open(Path({str(written[0])!r})); sys.exit('keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_epoch_brings_every_image_once_in_one_of_its_views():
    features = np.arange(10 * 4, dtype=np.float16).reshape(10, 4, 1)
    batches = FeatureBatches((features,), np.array([1, 3, 5, 7, 9]), batch_size=2, seed=0)
    chosen, inputs = zip(*batches.epoch(1), strict=True)
    order, values = np.concatenate(chosen), np.concatenate(inputs)[:, 0]
    assert sorted(order) == [0, 1, 2, 3, 4]
    assert (values // 4 == batches.rows[order]).all()
    views = {int(v % 4) for epoch in range(20) for _, x in batches.epoch(epoch) for v in x[:, 0]}
    assert views == {0, 1, 2, 3}
    assert np.concatenate([x for _, x in batches.clean()])[:, 0].tolist() == [4, 12, 20, 28, 36]


def test_order_and_views_derive_from_seed_and_epoch():
    features = np.arange(40, dtype=np.float16).reshape(10, 4, 1)
    rows = np.arange(10)

    def values(seed, epoch):
        return np.concatenate([x for _, x in FeatureBatches((features,), rows, 3, seed).epoch(epoch)])[:, 0].tolist()

    assert values(0, 1) == values(0, 1)
    assert values(0, 1) != values(0, 2)
    assert values(0, 1) != values(1, 1)


def test_image_batches_change_images_anew_in_every_epoch(images):
    batches = ImageBatches(images, AUGMENT, np.array([4, 0, 2]), batch_size=2, seed=0)
    (first, (pictures, changes)), _ = batches.epoch(1)
    np.testing.assert_array_equal(pictures, images[batches.rows[first]])
    by_row = [
        {int(row): c.tobytes() for chosen, (_, x) in batches.epoch(epoch) for row, c in zip(chosen, x, strict=True)}
        for epoch in (1, 2)
    ]
    assert all(by_row[0][row] != by_row[1][row] for row in range(3))
    assert len(changes) == 2
