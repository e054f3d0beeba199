"""A backbone from a file of the user's own: what is refused, and what its features are."""

import pickle

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lacuna.config.backbone import Backbone
from lacuna.config.blocks import Features
from lacuna.core.feature_store import FEATURES_FOLDER, FeatureStore
from lacuna.errors import LacunaError
from lacuna.features.backbones import build_backbone
from lacuna.features.backbones.resize import SquareResize
from lacuna.features.onnx_backbone import FileFeatures, build_onnx_backbone, count_weights, write_onnx_features
from lacuna.features.onnx_graph import compose_graph
from lacuna.features.write_store import NOTHING_LEARNS
from tests.onnx_files import WEIGHTS, hand_computed, tiny_model, write_lite0, write_tiny
from tests.shards import save_rows

SIZE = 12
MEAN, STD = np.array([120.0, 110.0, 100.0]), np.array([60.0, 50.0, 40.0])


def settings(path, mean=MEAN, std=STD, interpolation="bilinear"):
    return Backbone(name="onnx", weights=str(path), mean=tuple(mean), std=tuple(std), interpolation=interpolation)


def build(path, sizes=(0,), stages="all", image_size=SIZE, **changes):
    return build_onnx_backbone(settings(path, **changes), Features(sizes=sizes, stages=stages, max_gb=1.0), image_size)


def features(folder, images, backbone):
    folder.mkdir()
    save_rows(folder.with_name("pixels"), images)
    write_onnx_features(folder, folder.with_name("pixels"), backbone, folder.with_name("kept"))
    return FeatureStore.open(folder)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.mark.parametrize("axes", [("n", 3, "h", "w"), (1, 3, SIZE, SIZE)])
def test_features_are_the_embedding_and_statistics_of_maps(tmp_path, images, axes):
    backbone = build(write_tiny(tmp_path / "tiny.onnx", axes=axes))
    assert [(b.stage, b.statistic, b.channels, b.top) for b in backbone.layout.blocks] == [
        ("map_1", "mean", 3, False),
        ("map_1", "deviation", 3, False),
        ("pooled_embedding", "mean", 4, True),
    ]
    store = features(tmp_path / "features", images, backbone)
    expected = hand_computed(images, MEAN, STD)
    np.testing.assert_allclose(store.features[:, 0], expected, atol=1e-5)
    np.testing.assert_allclose(store.pooled[:, 0], expected[:, 6:], atol=1e-5)
    assert (store.info.views, store.info.streamed) == (1, NOTHING_LEARNS)
    assert count_weights(backbone) == WEIGHTS.size + 1 + 1  # a half, and an axis


def test_channels_last_are_told_by_the_shape_of_the_input(tmp_path, images):
    model = tiny_model(axes=("n", "h", "w", 3))
    del model.graph.node[0]
    model.graph.node.insert(0, helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1, 2]))
    (tmp_path / "last.onnx").write_bytes(model.SerializeToString())
    found = features(tmp_path / "features", images, build(tmp_path / "last.onnx")).features[:, 0]
    np.testing.assert_allclose(found, hand_computed(images, MEAN, STD), atol=1e-5)


@pytest.mark.parametrize(("size", "interpolation"), [(20, "bicubic"), (7, "bilinear"), (7, "lanczos3")])
def test_images_are_resized_as_for_every_backbone(tmp_path, images, size, interpolation):
    backbone = build(write_tiny(tmp_path / "tiny.onnx"), sizes=(size, 0), interpolation=interpolation)
    found = features(tmp_path / "features", images, backbone).features[:, 0]
    resized = np.asarray(SquareResize(size, interpolation)(images))
    expected = [hand_computed(seen, MEAN, STD) for seen in (resized, images)]
    np.testing.assert_allclose(found, np.concatenate(expected, axis=1), atol=1e-4)


def test_branches_read_the_tensors_around_them_by_their_new_names(tmp_path, images):
    """If any channel's mean is above a half the embedding is doubled, else halved; two sizes put it in twice."""
    model, found = tiny_model(maps=False), []
    for name, factor in (("then", 2.0), ("else", 0.5)):
        weights = numpy_helper.from_array(np.float32(factor), f"{name}_factor")
        product = helper.make_node("Mul", ["pooled/embedding", f"{name}_factor"], [f"{name}_out"])
        there = helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, ("n", 4))
        found.append(helper.make_graph([product], name, [], [there], [weights]))
    model.graph.node.extend(
        [
            helper.make_node("ReduceMax", ["flat"], ["highest"], keepdims=0),
            helper.make_node("Greater", ["highest", "half"], ["above"]),
            helper.make_node("If", ["above"], ["out"], then_branch=found[0], else_branch=found[1]),
        ]
    )
    model.graph.output[0].name = "out"
    (tmp_path / "own.onnx").write_bytes(model.SerializeToString())
    bright = np.full_like(images, 250)
    bright[-1] = 240
    found = features(tmp_path / "features", bright, build(tmp_path / "own.onnx", sizes=(7, 0))).features[:, 0]
    np.testing.assert_allclose(found, 2 * np.tile(hand_computed(bright, MEAN, STD)[:, 6:], 2), rtol=1e-4)


@pytest.mark.parametrize(("stages", "columns"), [("top", 4), (["map_1"], 10), (["pooled_embedding"], 4)])
def test_features_stages_chooses_among_the_outputs(tmp_path, stages, columns):
    assert build(write_tiny(tmp_path / "tiny.onnx"), stages=stages).layout.n_columns == columns


def test_a_stage_that_is_none_of_the_outputs_is_named(tmp_path):
    with pytest.raises(LacunaError, match=r"some of map_1, pooled_embedding \(the outputs of .*\), .* received b4"):
        build(write_tiny(tmp_path / "tiny.onnx"), stages=["b4"])


def test_sent_to_another_process_it_computes_the_same(tmp_path, images):
    backbone = build(write_tiny(tmp_path / "tiny.onnx"))
    expected = features(tmp_path / "features", images, backbone).features
    found = np.empty_like(expected)
    with FileFeatures(backbone, compose_graph(backbone).SerializeToString()) as here:
        sent = pickle.dumps(here)
    with pickle.loads(sent) as elsewhere:
        elsewhere(images, range(len(images)), {FEATURES_FOLDER: found})
    np.testing.assert_array_equal(found, expected)


def spoilt(change):
    model = tiny_model()
    change(model)
    return model.SerializeToString()


def external(model):
    weights = model.graph.initializer[0]
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="/etc/passwd")


def inside_of_an_if(model):
    branch = helper.make_graph(
        [helper.make_node("Gelu", ["flat"], ["there"], domain="com.microsoft")],
        "branch",
        [],
        [helper.make_tensor_value_info("there", TensorProto.FLOAT, ("n", 3))],
    )
    model.graph.node.append(helper.make_node("If", ["yes"], ["either"], then_branch=branch, else_branch=branch))


def an_axis(index, value):
    def change(model):
        model.graph.input[0].type.tensor_type.shape.dim[index].dim_value = value

    return change


def another_input(model):
    model.graph.input.append(helper.make_tensor_value_info("input_ids", TensorProto.INT64, ("n", 8)))


def of_bytes(model):
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8


def set_opset(version):
    def change(model):
        model.opset_import[0].version = version

    return change


def two_embeddings(model):
    model.graph.output.append(helper.make_tensor_value_info("flat", TensorProto.FLOAT, ("n", 3)))


def random(model):
    model.graph.node.append(helper.make_node("RandomNormal", [], ["noise"], shape=[1, 4]))


def no_embedding(model):
    del model.graph.output[0]


def of_doubles(model):
    model.graph.node.append(helper.make_node("Cast", ["flat"], ["wide"], to=TensorProto.DOUBLE))
    model.graph.output.append(helper.make_tensor_value_info("wide", TensorProto.DOUBLE, ("n", 3)))


def a_weight(model):
    model.graph.output.append(helper.make_tensor_value_info("weights", TensorProto.FLOAT, (4, 3)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not an onnx file at all", r"it cannot be read as ONNX|expected an opset"),
        (b"", "the file is empty"),
        (spoilt(external), "its weights lie in another file; save the network as one file"),
        (spoilt(inside_of_an_if), "expected operators of ONNX alone, received com.microsoft.Gelu"),
        (spoilt(random), "RandomNormal puts out numbers by chance; export the network in evaluation mode"),
        (spoilt(set_opset(9)), "expected an opset from 11 to 22, received 9; export it with 17"),
        (spoilt(set_opset(99)), "expected an opset from 11 to 22, received 99"),
        (spoilt(another_input), "expected one input, the images, received pixels, input_ids; export the image tower"),
        (spoilt(of_bytes), r"expected images float32 .*, received UINT8 \(0, 3, 0, 0\)"),
        (spoilt(an_axis(0, 4)), r"n free or 1, received FLOAT \(4, 3, 0, 0\)"),
        (spoilt(an_axis(1, 4)), "which axis holds the 3 channels cannot be told"),
        (spoilt(an_axis(2, 224)), r"expected square images, received FLOAT \(0, 3, 224, 0\)"),
        (spoilt(two_embeddings), r"expected one output \(n, d\), the embedding, received pooled/embedding, flat"),
        (spoilt(of_doubles), "expected outputs of 32-bit floats, received DOUBLE as wide; cast it"),
        (spoilt(a_weight), "its output weights is made by no operator; export the network itself"),
        (spoilt(no_embedding), r"expected one output \(n, d\), the embedding, received none"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_in_one_line(tmp_path, content, message):
    path = tmp_path / "own.onnx"
    path.write_bytes(content)
    with pytest.raises(LacunaError, match=message) as caught:
        build(path)
    assert str(caught.value).startswith(f"backbone.weights: {path}: ")
    assert str(caught.value).endswith("; see docs/backbones.md")
    assert "\n" not in str(caught.value)


def test_an_embedding_that_no_image_changes_is_refused(tmp_path, images):
    """A head on it would be the class shares, and the labels would be blamed."""
    model = tiny_model(maps=False)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.zeros((4, 3), np.float32), "weights"))
    path = tmp_path / "own.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(LacunaError, match=r"own.onnx: it puts out the same numbers for every image"):
        features(tmp_path / "features", images, build(path))


def test_a_file_of_another_size_says_what_to_write(tmp_path):
    path = write_tiny(tmp_path / "own.onnx", axes=("n", 3, 224, 224))
    with pytest.raises(LacunaError, match=r"takes images of 224 pixels, and features.sizes says 12; write \[224\]"):
        build(path)


def test_a_file_that_mixes_images_is_refused(tmp_path, images):
    """A network for one image whose batch axis is written into a shape inside."""
    model = tiny_model(maps=False)
    model.graph.node.append(helper.make_node("ReduceMean", ["pooled/embedding"], ["mixed"], axes=[0], keepdims=1))
    model.graph.node.append(helper.make_node("Sub", ["pooled/embedding", "mixed"], ["out"]))
    model.graph.output[0].name = "out"
    onnx.checker.check_model(model)
    (tmp_path / "own.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(LacunaError, match="two images at once give other features than one at a time"):
        features(tmp_path / "features", images, build(tmp_path / "own.onnx"))


def test_numbers_that_are_not_finite_stop_the_run(tmp_path, images):
    model = tiny_model(maps=False)
    model.graph.node.append(helper.make_node("Log", ["pooled/embedding"], ["out"]))
    model.graph.output[0].name = "out"
    (tmp_path / "own.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(LacunaError, match=r"own.onnx: it puts out numbers that are not finite; see docs"):
        features(tmp_path / "features", images, build(tmp_path / "own.onnx"))


def test_layers_of_keras_are_not_asked_of_a_file():
    with pytest.raises(LacunaError, match=r"backbone.name: onnx is a file, not layers of Keras"):
        build_backbone(settings("own.onnx"), SIZE)


@pytest.mark.slow
@pytest.mark.parametrize("channels_first", [False, True])
def test_lite0_from_a_file_has_the_features_of_lite0(tmp_path, channels_first):
    from lacuna.features.stages import build_extractor, feature_network

    photos = np.random.default_rng(1).integers(0, 256, (4, 40, 40, 3), dtype=np.uint8)
    photos[1:, ::3] //= 4
    path = write_lite0(tmp_path / "lite0.onnx", 96, channels_first=channels_first)
    own = build(path, sizes=(96,), image_size=40, mean=(127,) * 3, std=(128,) * 3)
    known = settings(path).model_copy(update={"name": "efficientnet_lite0", "weights": "imagenet"})
    extractor = build_extractor(known, Features(sizes=(96,), stages="all", max_gb=1.0), 40)
    assert [(b.map_name, b.statistic, b.channels) for b in own.layout.blocks[:-1]] == [
        (b.map_name, b.statistic, b.channels) for b in extractor.layout.blocks[:-1]
    ]
    found = features(tmp_path / "features", photos, own).features[:, 0]
    expected = np.asarray(feature_network(extractor)(photos))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
