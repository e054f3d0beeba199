"""Write the trained network as OpenVINO, ONNX and maybe LiteRT, after checking each against Keras on stored images.

python -m stages.export
"""

import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"  # the converters read its graphs; weights files suit every backend

import numpy as np
from numpy.typing import NDArray

from lacuna.config.backbone import KERAS_HUB, ONNX
from lacuna.config.params import Params
from lacuna.core.feature_store import FeatureStore
from lacuna.core.manifest import read_training_rows
from lacuna.core.targets import Targets
from lacuna.export.convert import check_export, difference_in_probability, export_network, quantize
from lacuna.export.keras_runtime import Structure, save_keras_network
from lacuna.export.litert_export import export_litert
from lacuna.export.onnx_export import check_onnx_export, export_onnx_network, load_onnx_trained
from lacuna.io.atomic import atomic_folder, reserve
from lacuna.io.sharded_array import open_rows
from lacuna.training.model import weights_size
from lacuna.training.trained import load_trained, read_trained
from stages._run import Facts, run

N_CHECKED = 32
N_QUANTIZED = 300
"""The number of images that show the range of each activation: NNCF's default."""


def export(params: Params) -> Facts:
    targets = Targets.load(Path("data/predictions/targets.json"))
    images = open_rows(Path("data/images/pixels"))
    checked = np.asarray(images[_spread(len(images), N_CHECKED)])
    trained = Path("models/trained")
    if params.backbone.name == ONNX:
        return _export_onnx(params, targets, images, trained)
    structure = Structure(params.backbone, params.features, images.shape[1], targets, read_trained(trained))
    network = load_trained(params.backbone, params.features, images.shape[1], targets, trained)
    model = network.model
    with atomic_folder(Path("models/export")) as folder:
        reserve(folder, 5 * weights_size(model) + 2**22)  # some writers do not say when the disk is full
        export_network(network, folder)
        if params.backbone.name != KERAS_HUB:  # which would have to be there wherever the bundle is
            save_keras_network(network, structure, folder)
        expected = np.asarray(model(checked, training=False))
        differences = check_export(expected, targets, checked, folder)
        if params.export.int8:
            train = read_training_rows(Path("data/prepared/manifest.csv"))
            quantize(folder, np.asarray(images[train[_spread(len(train), N_QUANTIZED)]]))
            differences["openvino-int8"] = difference_in_probability(
                expected, targets, checked, folder, "openvino-int8"
            )
        if params.export.litert:
            export_litert(network, folder)
            differences |= check_export(expected, targets, checked, folder, runtimes=["litert"])
    return _said(differences, "Keras", len(checked))


def _export_onnx(params: Params, targets: Targets, images: NDArray[np.uint8], trained: Path) -> Facts:
    backbone, head = load_onnx_trained(params.backbone, params.features, images.shape[1], targets, trained)
    rows = _spread(len(images), N_CHECKED)
    features = np.asarray(FeatureStore.open(Path("data/features")).features[rows, 0])
    with atomic_folder(Path("models/export")) as folder:
        export_onnx_network(backbone, head, folder)
        differences = check_onnx_export(head, features, targets, np.asarray(images[rows]), folder)
    return _said(differences, "the features of featurize", len(rows))


def _said(differences: dict[str, float], of: str, n_images: int) -> Facts:
    for runtime, difference in differences.items():
        print(f"{runtime}: within {difference:.1e} of {of} in probability on {n_images} images")
    return {"export_difference": differences}


def _spread(n: int, wanted: int) -> NDArray[np.intp]:
    """At most `wanted` of the indices 0 to n - 1, evenly spaced."""
    return np.linspace(0, n - 1, min(wanted, n)).astype(np.intp)


if __name__ == "__main__":
    run("export", export)
