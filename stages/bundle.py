"""Put everything a prediction needs into one folder.

python -m stages.bundle
"""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

import lacuna
from lacuna.calibration.model import Calibration
from lacuna.config.params import Params
from lacuna.core.predictions import Predictions
from lacuna.core.targets import Targets
from lacuna.errors import LacunaError
from lacuna.inference.bundle import Bundle, Input, Member, write_bundle
from lacuna.inference.read_seen import read_seen
from lacuna.io.atomic import atomic_folder, read_json, sha256
from lacuna.io.sharded_array import checksum
from lacuna.reporting.model_card import CardContent, model_card
from lacuna.reporting.usability import not_trained
from stages._run import run

LIBRARIES = ("keras", "numpy", "onnx", "onnxruntime", "openvino", "pillow", "tensorflow", "tf2onnx")

WITHOUT_EFFECT = {
    "audit", "baseline", "execution", "explain", "explore", "export", "out_of_distribution", "report", "sample",
    "track", "tune",
}  # fmt: skip
"""Blocks of params.yaml that shape neither the model nor its metrics, except through the data."""


def bundle(params: Params) -> None:
    targets = Targets.load(Path("data/predictions/targets.json"))
    statistics = read_json(Path("data/prepared/class_weights.json"))
    exported = Path("models/export")
    backbones = " and ".join(params.backbone.names)
    wanted = Input(params.data.image_size, params.data.resize, params.data.max_pixels)
    content = Bundle(
        targets=targets,
        calibration=Calibration.load(Path("models/calibration.json")),
        members=(Member(backbones, wanted, tuple(sorted(path.name for path in exported.iterdir()))),),
        training_counts={name: statistics[name]["counts"] for name in targets.names},
    )
    predictions = {
        part: Path(f"data/predictions/{file}.npz") for part, file in (("validation", "val"), ("test", "test"))
    }
    manifest, tested = Path("data/prepared/manifest.csv"), Predictions.load(predictions["test"])
    origin = {
        "images_sha256": checksum(Path("data/images/pixels")),
        "manifest_sha256": sha256(manifest),
        "params_sha256": _hash(params.model_dump(mode="json", exclude=WITHOUT_EFFECT)),
        "versions": {"lacuna": lacuna.__version__, **{library: version(library) for library in LIBRARIES}},
    }
    found = {
        name: read_json(Path(f"metrics/{name}.json"))
        for name in ("prepare", "training", "audit", "baseline", "explain", "test")
    }
    if failed := not_trained(found["audit"], found["baseline"]):
        raise LacunaError(
            f"{', '.join(failed)}: the model is no better than class shares, although the audit finds these labels "
            "learnable. The training failed, not the labels: look at plots/loss_curve.png, and see "
            "docs/troubleshooting.md; nothing was bundled"
        )
    metrics = {"validation": read_json(Path("metrics/validation.json")), "test": found["test"]}
    classes = {target.name: target.classes for target in targets}
    with atomic_folder(Path("models/bundle")) as folder:
        write_bundle(
            folder,
            content,
            exported=[exported],
            predictions=predictions,
            origin=origin,
            metrics=metrics,
            detector=Path("models/out_of_distribution.npz"),
            card=model_card(CardContent(**found, origin=origin), classes, params, content.members[0].files),
            images=read_seen(Path("data/images/files.csv"), manifest, tested.image),
        )


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


if __name__ == "__main__":
    run("bundle", bundle)
