"""Write the trained network as OpenVINO and ONNX, after checking both against Keras on images of the store.

python -m stages.export
"""

import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"  # the converters read its graphs; weights files suit every backend

import numpy as np

from lacuna.config import Params
from lacuna.export import check_export, export_network
from lacuna.files import reserve, whole_folder
from lacuna.network import load_trained, weights_size
from lacuna.targets import Targets
from stages._run import Facts, run

N_CHECKED = 32


def export(params: Params) -> Facts:
    targets = Targets.load(Path("data/predictions/targets.json"))
    images = np.load("data/images/images.npy", mmap_mode="r")
    spread = np.linspace(0, len(images) - 1, min(N_CHECKED, len(images))).astype(int)
    weights = Path("models/finetuned.weights.h5")
    model = load_trained(params.backbone, images.shape[1], targets, params.head, weights)
    with whole_folder(Path("models/export")) as folder:
        reserve(folder, 2 * weights_size(model) + 2**22)  # two formats; their writers do not say when the disk is full
        export_network(model, folder)
        differences = check_export(model, targets, images[spread], folder)
    for runtime, difference in differences.items():
        print(f"{runtime}: within {difference:.1e} of Keras in probability on {len(spread)} images")
    return {"export_difference": differences}


if __name__ == "__main__":
    run("export", export)
