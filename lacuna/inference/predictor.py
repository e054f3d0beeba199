"""From images to calibrated probabilities and decisions, by a model bundle alone.

    predictor = Predictor.load("models/bundle")
    for prediction in predictor.predict([Path("cat.jpg")]):
        print(prediction.name, prediction.error or prediction.targets)

Keras, DVC, the data and params.yaml are not needed.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lacuna.core.feature_maps import contrasts, pool, weigh_channels
from lacuna.data.images.decode import UnreadableImageError, decode
from lacuna.errors import LacunaError
from lacuna.inference.bundle import OOD_FILE, Input, Member, read_bundle, read_description, read_predictions
from lacuna.inference.ensemble import mean_logits
from lacuna.inference.load import HEAD_FILE, Network, Output, Runtime, load_network, n_cores
from lacuna.inference.ood import OutlierDetector
from lacuna.inference.prediction import Answer, HeatMap, Prediction, TargetPrediction

if TYPE_CHECKING:
    from lacuna.calibration.selective import Promise

BATCH_SIZE = 32

Decoded = dict[Input, NDArray[np.uint8]]
"""An image as the networks of a bundle want it: (size, size, 3) for each kind of input."""

ImageSource = str | Path | bytes | NDArray[np.uint8]
"""The path of an image file, the content of one, or RGB pixels (height, width, 3)."""


class Predictor:
    """A model bundle in a runtime, ready for images, from any number of threads.

    With `min_precision` a target answers only where it is sure enough for this share of its answers to be right, with
    the certainty given, and is `unsure` elsewhere: Learn then Test on the bundle's test part, which shaped nothing else
    (`lacuna.calibration.selective`). `promises` says by target what that asks for, and where labels are too few.

    Raises LacunaError when the bundle is missing, damaged or of another format version.
    """

    def __init__(
        self,
        folder: Path,
        runtime: Runtime = "openvino",
        *,
        min_precision: float | None = None,
        certainty: float = 0.9,
    ) -> None:
        self.folder = folder
        self.bundle = read_bundle(folder, runtime)
        self.description = read_description(folder)
        self._networks = [self._load(member, runtime) for member in self.bundle.members]
        self._turn = Lock()
        self._head = self._load_head()
        known = self.description.get("out_of_distribution")  # not in bundles of before
        self.detector = OutlierDetector.load(folder / OOD_FILE) if known else None
        if not 0 < certainty < 1:
            raise LacunaError(f"certainty: expected a number between 0 and 1, received {certainty}")
        self.promises = {} if min_precision is None else self._promise(min_precision, certainty)

    @classmethod
    def load(
        cls,
        folder: str | Path = "models/bundle",
        runtime: Runtime = "openvino",
        *,
        min_precision: float | None = None,
        certainty: float = 0.9,
    ) -> "Predictor":
        """The same as the constructor, for a folder that is named by a string too."""
        return cls(Path(folder), runtime, min_precision=min_precision, certainty=certainty)

    def predict(self, images: Sequence[ImageSource]) -> list[Prediction]:
        """Predict each image, in order. An unreadable one gets an error and leaves the others as they are.

        A prediction is named by its path, or by its place in `images`. Raises ValueError for an array that is no RGB
        picture: that is a mistake in the program.
        """
        return list(self.stream(images))

    def stream(self, images: Iterable[ImageSource]) -> Iterator[Prediction]:
        """As `predict`, one after another: of any number of images only two batches are in memory at a time."""
        waiting: tuple[list[str], list[Future[Decoded | str]]] | None = None
        numbered = enumerate(images)
        with ThreadPoolExecutor(n_cores()) as pool:
            while batch := list(islice(numbered, BATCH_SIZE)):
                names = [_name(one) if isinstance(one, str | Path) else str(place) for place, one in batch]
                decoding = [pool.submit(self._decode_or_reason, one) for _, one in batch]
                if waiting is not None:  # the network runs while the next batch is decoded
                    yield from self._predict_batch(*waiting)
                waiting = names, decoding
            if waiting is not None:
                yield from self._predict_batch(*waiting)

    def decode(self, image: ImageSource) -> Decoded:
        """The image as each network wants it. Raises UnreadableImageError, whose message is the reason."""
        source = Path(image) if isinstance(image, str) else _as_file(image) if isinstance(image, np.ndarray) else image
        return {
            wanted: decode(source, size=wanted.image_size, resize=wanted.resize, max_pixels=wanted.max_pixels)
            for wanted in {member.input for member in self.bundle.members}
        }

    def answer(self, decoded: Sequence[Decoded]) -> list[Answer]:
        """What the model says of decoded images, all in one batch."""
        if not decoded:
            return []
        return self._answer(self._run(decoded))

    def answer_with_features(self, decoded: Sequence[Decoded]) -> tuple[list[Answer], NDArray[np.float32]]:
        """What the model says of at least one decoded image, and the first network's pooled features (n, channels)."""
        outputs = self._run(decoded)
        return self._answer(outputs), pool(outputs[0].features)

    @property
    def explainable(self) -> bool:
        """Whether `explain` works: for one network whose head has no hidden layer."""
        return self._head is not None

    def explain(self, image: ImageSource, target: str, class_name: str | None = None) -> HeatMap:
        """Where in an image a class is seen; without a class's name the one that is decided for.

        The class activation map (Zhou et al. 2016): the last feature map times the head's weights. Raises LacunaError
        for a target or class that the model doesn't have and where the model is not `explainable`,
        UnreadableImageError for an image that can't be read.
        """
        if self._head is None:
            raise LacunaError(f"{self.folder}: heat maps need a single network whose head has no hidden layer")
        targets = self.bundle.targets
        if target not in targets.names:
            raise LacunaError(f"target {target!r}: expected one of {', '.join(targets.names)}")
        index = targets.names.index(target)
        classes = targets[index].classes
        outputs = self._run([self.decode(image)])
        (answer,) = self._answer(outputs)
        explained = answer.targets[target].decision if class_name is None else class_name
        if explained not in classes:
            raise LacunaError(f"class {explained!r} of {target}: expected one of {', '.join(classes)}")
        weights = contrasts(targets, index, np.array([classes.index(explained)]))
        (values,) = weigh_channels(outputs[0].features, weights @ self._head.T)
        name = _name(image) if isinstance(image, str | Path) else "0"
        return HeatMap(target, explained, values, answer.named(name))

    def _predict_batch(self, names: list[str], decoding: list["Future[Decoded | str]"]) -> list[Prediction]:
        decoded = [one.result() for one in decoding]
        answers = iter(self.answer([one for one in decoded if not isinstance(one, str)]))
        return [
            Prediction(name, error=one) if isinstance(one, str) else next(answers).named(name)
            for name, one in zip(names, decoded, strict=True)
        ]

    def _run(self, decoded: Sequence[Decoded]) -> list[Output]:
        """Each network's output, one caller at a time: a compiled network has one set of buffers."""
        with self._turn:
            return [
                network(np.stack([one[member.input] for one in decoded]))
                for member, network in zip(self.bundle.members, self._networks, strict=True)
            ]

    def _answer(self, outputs: list[Output]) -> list[Answer]:
        targets, calibration = self.bundle.targets, self.bundle.calibration
        said = [output.logits for output in outputs]
        logits = said[0] if len(said) == 1 else mean_logits(targets, said)
        probabilities = calibration.apply(targets, logits)
        decisions = calibration.decide(targets, logits)
        sure = {
            target.name: self.promises[target.name].answers(target, probabilities[index], decisions[:, index])
            for index, target in enumerate(targets)
            if self.promises
        }
        unfamiliar = self._unfamiliar(outputs[0])
        answers = []
        for row in range(len(logits)):
            answer = {}
            for index, target in enumerate(targets):
                decided = int(decisions[row, index])
                answer[target.name] = TargetPrediction(
                    kind=target.kind,
                    decision=target.classes[decided],
                    detected=bool(decided) if target.kind == "binary" else None,
                    threshold=calibration.targets[target.name].threshold,
                    probabilities=dict(zip(target.classes, map(float, probabilities[index][row]), strict=True)),
                    unsure=not sure[target.name][row] if sure else None,
                )
            answers.append(Answer(answer, None if unfamiliar is None else bool(unfamiliar[row])))
        return answers

    def _unfamiliar(self, output: Output) -> NDArray[np.bool_] | None:
        if self.detector is None:
            return None
        unfamiliar: NDArray[np.bool_] = self.detector.distance(pool(output.features)) > self.detector.threshold
        return unfamiliar

    def _decode_or_reason(self, image: ImageSource) -> Decoded | str:
        try:
            return self.decode(image)
        except UnreadableImageError as error:
            return str(error)

    def _promise(self, precision: float, certainty: float) -> "dict[str, Promise]":
        if not 0 < precision < 1:
            raise LacunaError(f"min_precision: expected a number between 0 and 1, received {precision}")
        from lacuna.calibration.selective import promise  # here, because it loads SciPy

        targets, calibration, test = self.bundle.targets, self.bundle.calibration, read_predictions(self.folder)["test"]
        probabilities, decisions = calibration.apply(targets, test.logits), calibration.decide(targets, test.logits)
        return {
            target.name: promise(
                target,
                test.labels[:, index],
                probabilities[index],
                decisions[:, index],
                test.group,
                precision,
                certainty,
            )
            for index, target in enumerate(targets)
        }

    def _load_head(self) -> NDArray[np.float32] | None:
        """The weights (channels, n_logits) of a single network's linear head."""
        member = self.bundle.members[0]
        if len(self.bundle.members) > 1 or HEAD_FILE not in member.files:
            return None
        head: NDArray[np.float32] = np.load(self.folder / member.folder / HEAD_FILE, allow_pickle=False)
        return head

    def _load(self, member: Member, runtime: Runtime) -> Network:
        """Load a network and have it answer once, so that one that does not fit is found now."""
        size, n_logits = member.input.image_size, self.bundle.targets.n_logits
        try:
            network = load_network(self.folder / member.folder, runtime)
            logits, _ = network(np.zeros((1, size, size, 3), dtype=np.uint8))
        except Exception as error:  # the runtimes have no common exception
            reason = " ".join(str(error).split())[:200]
            raise LacunaError(f"{self.folder}: {runtime} cannot run this network: {reason}") from None
        if logits.shape != (1, n_logits):
            raise LacunaError(f"{self.folder}: expected a network of {n_logits} logits, received shape {logits.shape}")
        return network


def _name(path: str | Path) -> str:
    """A path as text, bytes that are no UTF-8 as \\x.. codes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _as_file(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels as the content of a PPM file, so that they go the way of every other image."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"expected uint8 pixels (height, width, 3), received {pixels.dtype} {pixels.shape}")
    return b"P6 %d %d 255\n" % (pixels.shape[1], pixels.shape[0]) + pixels.tobytes()
