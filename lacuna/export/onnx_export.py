"""A backbone from an ONNX file with the trained head on it, for OpenVINO and for ONNX: the graph that featurize ran,
and the head behind it. Keras is not needed, and there is no network for it."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.config.backbone import Backbone
from lacuna.config.blocks import Features
from lacuna.core.head_weights import HeadWeights
from lacuna.core.targets import Targets
from lacuna.errors import LacunaError
from lacuna.export.convert import check_export, save_openvino
from lacuna.features.onnx_backbone import build_onnx_backbone
from lacuna.features.onnx_graph import OnnxBackbone, compose_graph
from lacuna.inference.runtimes import HEAD_FILE, LAYOUT_FILE, OUTPUTS, RUNTIMES
from lacuna.io.atomic import reserve, write_json
from lacuna.training.trained import HEAD, read_trained


def load_onnx_trained(
    settings: Backbone, features: Features, image_size: int, targets: Targets, folder: Path
) -> tuple[OnnxBackbone, HeadWeights]:
    """The backbone, and the head that `lacuna.training.trained.save_trained` wrote to `folder`.

    Raises LacunaError when the head was trained on other features than these.
    """
    backbone = build_onnx_backbone(settings, features, image_size)
    trained, head = read_trained(folder), HeadWeights.load(folder / HEAD)
    if trained.layout != backbone.layout or head.weights.shape != (trained.layout.n_columns, targets.n_logits):
        raise LacunaError(
            f"the model was trained on other features or targets than {backbone.file.path} and params.yaml give; give "
            "a changed file a new name in backbone.weights, or run `dvc repro -f featurize train_finetune`"
        )
    return backbone, head


def export_onnx_network(backbone: OnnxBackbone, head: HeadWeights, folder: Path) -> None:
    """Write the whole network to `folder`, as `lacuna.export.convert.export_network` does those of Keras.

    Without feature maps the head, which stands beside the network for heat maps only, is left out.
    """
    import onnx
    import openvino

    model = compose_graph(backbone, head.arrays(), maps=True)
    onnx.checker.check_model(model)
    content = model.SerializeToString(deterministic=True)
    reserve(folder, 2 * len(content) + 2**22)  # OpenVINO does not say when the disk is full
    (folder / RUNTIMES["onnx"].files[0]).write_bytes(content)
    converted = openvino.Core().read_model(content)
    known = {*OUTPUTS, *backbone.layout.map_names}
    names = [set(output.names) & known for output in converted.outputs]
    save_openvino(converted, names, folder / RUNTIMES["openvino"].files[0])
    write_json(folder / LAYOUT_FILE, backbone.layout.to_json())
    if head.linear and backbone.has_maps:
        head.save(folder / HEAD_FILE)


def check_onnx_export(
    head: HeadWeights,
    features: NDArray[np.float32],
    targets: Targets,
    images: NDArray[np.uint8],
    folder: Path,
) -> dict[str, float]:
    """As `check_export`, against the head's logits of the features (n, n_columns) that featurize wrote of `images`.

    Raises LacunaError too when the file is no longer the one that featurize ran.
    """
    try:
        return check_export(head.logits(features), targets, images, folder, "the features of featurize")
    except LacunaError as error:
        raise LacunaError(
            f"{error}; or the file of backbone.weights was changed after featurize: give it a new name"
        ) from None
