"""How to use each of a bundle's networks without Lacuna, in a few lines: for the model card."""

from collections.abc import Iterable
from textwrap import dedent

from lacuna.core.working_image import Resize

USAGE = {
    "model.xml": (
        "OpenVINO",
        """
        import openvino
        network = openvino.Core().compile_model("model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        logits = network(images)["logits"]
        """,
    ),
    "int8.xml": (
        "OpenVINO, 8-bit integers",
        """
        import openvino
        network = openvino.Core().compile_model("int8.xml", "CPU")
        logits = network(images)["logits"]
        """,
    ),
    "model.onnx": (
        "ONNX Runtime",
        """
        import onnxruntime
        session = onnxruntime.InferenceSession("model.onnx")
        (logits,) = session.run(["logits"], {"images": images})
        """,
    ),
    "model.tflite": (
        "LiteRT; on a phone its `Interpreter` takes the same file, and the same names",
        """
        from ai_edge_litert.interpreter import Interpreter
        run = Interpreter("model.tflite").get_signature_runner()
        logits = run(images=images)["logits"]
        """,
    ),
    "keras.weights.h5": (
        "Keras, with Lacuna's code, to train on",
        """
        from pathlib import Path
        from lacuna.export.keras_runtime import load_model
        network = load_model(Path("."))
        logits = network.model.predict(images)
        """,
    ),
}
"""By the file that a network is loaded from: the library, and the code that makes logits of images."""

INPUT = {
    "pad": 'image = ImageOps.pad(Image.open("IMAGE").convert("RGB"), ({size}, {size}), color="white")',
    "stretch": 'image = Image.open("IMAGE").convert("RGB").resize(({size}, {size}))',
}


def code_for_images(image_size: int, resize: Resize) -> str:
    """The code that makes `images`, which all networks take, of a file; close to what Lacuna does."""
    lines = ("import numpy as np", "from PIL import Image, ImageOps", INPUT[resize].format(size=image_size))
    return "\n".join([*lines, "images = np.asarray(image)[None]  # uint8, n x height x width x 3, RGB"])


def code_by_library(files: Iterable[str]) -> dict[str, str]:
    """For each network among a bundle's files the library and the code that makes logits of `images`."""
    there = set(files)
    return {library: dedent(code).strip() for name, (library, code) in USAGE.items() if name in there}
