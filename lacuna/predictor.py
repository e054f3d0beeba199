"""From images to calibrated probabilities and decisions, by a model bundle alone.

    predictor = Predictor(Path("models/bundle"))
    for prediction in predictor.predict([Path("cat.jpg")]):
        print(prediction.name, prediction.error or prediction.targets)

Keras, DVC, the data and params.yaml are not needed.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.bundle import Input, Member, read_bundle
from lacuna.ensemble import mean_logits
from lacuna.errors import LacunaError
from lacuna.images import UnreadableImageError, decode
from lacuna.runtimes import Network, Runtime, load_network, n_cores
from lacuna.targets import Kind

BATCH_SIZE = 32

Pixels = dict[Input, NDArray[np.uint8]]

ImageSource = Path | bytes | NDArray[np.uint8]
"""An image file, the content of one, or RGB pixels (height, width, 3)."""


@dataclass(frozen=True)
class TargetPrediction:
    """What the model says of one target.

    `decision` is one of the classes, the keys of `probabilities`, whose values are calibrated and sum to 1. A binary
    target is decided by its `threshold` on the probability of the second class, "present", and is then `detected`; a
    categorical one has no threshold, its most probable class is decided for, and `detected` is None.
    """

    kind: Kind
    decision: str
    detected: bool | None
    threshold: float | None
    probabilities: dict[str, float]

    @property
    def probability(self) -> float:
        """Of "present" if binary, of the decided class if categorical."""
        return list(self.probabilities.values())[1] if self.kind == "binary" else self.probabilities[self.decision]


@dataclass(frozen=True)
class Prediction:
    """What the model says of one image: its targets by name, or the reason why the image can't be read."""

    name: str
    targets: dict[str, TargetPrediction] = field(default_factory=dict)
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        if self.error is not None:
            return {"image": self.name, "error": self.error}
        targets = {name: _without_none(asdict(target)) for name, target in self.targets.items()}
        return {"image": self.name, "targets": targets}


class Predictor:
    """A model bundle in a runtime, ready for images.

    Raises LacunaError when the bundle is missing, damaged or of another format version.
    """

    def __init__(self, folder: Path, runtime: Runtime = "openvino") -> None:
        self.bundle = read_bundle(folder, runtime)
        self._networks = [self._load(folder, member, runtime) for member in self.bundle.members]

    def predict(self, images: Sequence[ImageSource]) -> list[Prediction]:
        """Predict each image, in order. An unreadable one gets an error and leaves the others as they are.

        A prediction is named by its path, or by its place in `images`.
        """
        predictions = []
        with ThreadPoolExecutor(n_cores()) as pool:
            for start in range(0, len(images), BATCH_SIZE):
                batch = images[start : start + BATCH_SIZE]
                names = [str(one) if isinstance(one, Path) else str(start + i) for i, one in enumerate(batch)]
                predictions += self._predict_batch(names, list(pool.map(self._decode, batch)))
        return predictions

    def _predict_batch(self, names: list[str], decoded: list[Pixels | str]) -> list[Prediction]:
        pixels = [one for one in decoded if not isinstance(one, str)]
        answers = iter(self._answer(pixels) if pixels else [])
        return [
            Prediction(name, error=one) if isinstance(one, str) else Prediction(name, next(answers))
            for name, one in zip(names, decoded, strict=True)
        ]

    def _answer(self, pixels: list[Pixels]) -> list[dict[str, TargetPrediction]]:
        targets, calibration = self.bundle.targets, self.bundle.calibration
        said = [
            network(np.stack([one[member.input] for one in pixels]))
            for member, network in zip(self.bundle.members, self._networks, strict=True)
        ]
        logits = said[0] if len(said) == 1 else mean_logits(targets, said)
        probabilities = calibration.apply(targets, logits)
        decisions = calibration.decide(targets, logits)
        answers = []
        for row in range(len(pixels)):
            answer = {}
            for index, target in enumerate(targets):
                decided = int(decisions[row, index])
                answer[target.name] = TargetPrediction(
                    kind=target.kind,
                    decision=target.classes[decided],
                    detected=bool(decided) if target.kind == "binary" else None,
                    threshold=calibration.targets[target.name].threshold,
                    probabilities=dict(zip(target.classes, map(float, probabilities[index][row]), strict=True)),
                )
            answers.append(answer)
        return answers

    def _decode(self, image: ImageSource) -> Pixels | str:
        """The image as each member wants it, or why it cannot be read."""
        source = _as_file(image) if isinstance(image, np.ndarray) else image
        try:
            return {
                wanted: decode(source, size=wanted.image_size, resize=wanted.resize, max_pixels=wanted.max_pixels)
                for wanted in {member.input for member in self.bundle.members}
            }
        except UnreadableImageError as error:
            return str(error)

    def _load(self, folder: Path, member: Member, runtime: Runtime) -> Network:
        """Load a network and have it answer once, so that one that does not fit is found now."""
        size, n_logits = member.input.image_size, self.bundle.targets.n_logits
        try:
            network = load_network(folder / member.folder, runtime)
            logits = network(np.zeros((1, size, size, 3), dtype=np.uint8))
        except Exception as error:  # the runtimes have no common exception
            reason = " ".join(str(error).split())[:200]
            raise LacunaError(f"{folder}: {runtime} cannot run this network: {reason}") from None
        if logits.shape != (1, n_logits):
            raise LacunaError(f"{folder}: expected a network of {n_logits} logits, received shape {logits.shape}")
        return network


def _as_file(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels as the content of a PPM file, so that they go the way of every other image."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"expected uint8 pixels (height, width, 3), received {pixels.dtype} {pixels.shape}")
    return b"P6 %d %d 255\n" % (pixels.shape[1], pixels.shape[0]) + pixels.tobytes()


def _without_none(content: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if value is not None}
