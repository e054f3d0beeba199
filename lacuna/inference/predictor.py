"""From images to calibrated probabilities and decisions, by a model bundle alone.

    predictor = Predictor.load("models/bundle")
    for prediction in predictor.predict([Path("cat.jpg")]):
        print(prediction.name, prediction.error or prediction.targets)

Keras, DVC, the data and params.yaml are not needed.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from lacuna.core.feature_maps import IMAGES_AT_ONCE, Output, contrasts, heat_maps
from lacuna.core.feature_store import FeatureLayout
from lacuna.core.head_weights import HeadWeights
from lacuna.core.working_image import Origin
from lacuna.data.images.decode import decode_with_origin
from lacuna.data.images.decoders import Decoders, decoders
from lacuna.data.images.headers import UnreadableImageError
from lacuna.errors import LacunaError
from lacuna.inference.bundle import OOD_FILE, Bundle, Input, read_bundle, read_description
from lacuna.inference.ensemble import mean_logits
from lacuna.inference.ood import OodDetector
from lacuna.inference.parts import find_promises, load_detector, load_head, load_member
from lacuna.inference.prediction import HeatMap, Prediction, TargetPrediction, UnnamedPrediction
from lacuna.inference.runtimes import ExportedNetwork, load_layout
from lacuna.io.cores import n_cores

if TYPE_CHECKING:
    from lacuna.calibration.selective import Promise

NetworkInputs = dict[Input, NDArray[np.uint8]]
"""A decoded image as the networks of a bundle take it: uint8 (size, size, 3) for each kind of input."""

ImageSource = str | Path | bytes | NDArray[np.uint8]
"""The path of an image file, the content of one, or RGB pixels (height, width, 3)."""


@dataclass(eq=False)
class Predictor:
    """A model bundle in a runtime, ready for images, from any number of threads. Made by `load`.

    description: the content of bundle.json. networks: one for each of the bundle's members. layout: what the columns of
    the first one's features are. head: a single network's linear head, None where there is none. detector: tells
    out-of-distribution images, None in a bundle without it. promises: by target what selective prediction can promise;
    empty where no precision was asked for.
    """

    folder: Path
    bundle: Bundle
    description: Mapping[str, Any]
    networks: Sequence[ExportedNetwork]
    layout: FeatureLayout
    head: HeadWeights | None
    detector: OodDetector | None
    promises: "Mapping[str, Promise]"

    @classmethod
    def load(
        cls,
        folder: str | Path = "models/bundle",
        runtime: str = "openvino",
        *,
        min_precision: float | None = None,
        certainty: float = 0.9,
    ) -> Self:
        """Read a bundle and load its networks into a runtime, one of `lacuna.inference.runtimes.RUNTIMES`.

        With `min_precision`, selective prediction: a target answers only where it is sure enough for this share of its
        answers to be right, with the certainty given, and is `unsure` elsewhere. What is sure enough is found by Learn
        then Test on the bundle's test part, which shaped nothing else (`lacuna.calibration.selective`).

        Raises LacunaError when the bundle is missing, damaged, of another format or has nothing for the runtime, and
        for shares that are not between 0 and 1.
        """
        for name, share in (("min_precision", min_precision), ("certainty", certainty)):
            if share is not None and not 0 < share < 1:
                raise LacunaError(f"{name}: expected a number between 0 and 1, received {share}")
        folder = Path(folder)
        bundle = read_bundle(folder, runtime)
        description = read_description(folder)
        layouts = [load_layout(folder / member.folder) for member in bundle.members]
        layout = layouts[0]
        return cls(
            folder,
            bundle,
            description,
            [
                load_member(folder, member, runtime, (bundle.targets.n_logits, layout.n_columns))
                for member, layout in zip(bundle.members, layouts, strict=True)
            ],
            layout,
            load_head(folder, bundle, layout),
            load_detector(folder / OOD_FILE, layout) if description["out_of_distribution"] else None,
            {} if min_precision is None else find_promises(folder, bundle, min_precision, certainty),
        )

    def predict(self, images: Sequence[ImageSource]) -> list[Prediction]:
        """Predict each image, in order. An unreadable one gets an error and leaves the others as they are.

        A prediction is named by its path, or by its place in `images`. Raises ValueError for an array that is no RGB
        picture: that is a mistake in the program.
        """
        return list(self.stream(images))

    def stream(self, images: Iterable[ImageSource]) -> Iterator[Prediction]:
        """As `predict`, one after another: of any number of images only two batches are in memory at a time."""
        waiting: tuple[list[str], list[Future[NetworkInputs | str]]] | None = None
        numbered = enumerate(images)
        with ThreadPoolExecutor(n_cores()) as pool:
            while batch := list(islice(numbered, IMAGES_AT_ONCE)):
                names = [_name(image) if isinstance(image, str | Path) else str(place) for place, image in batch]
                decoding = [pool.submit(self._decode_or_reason, image) for _, image in batch]
                if waiting is not None:  # the network runs while the next batch is decoded
                    yield from self._predict_batch(*waiting)
                waiting = names, decoding
            if waiting is not None:
                yield from self._predict_batch(*waiting)

    def decode(self, image: ImageSource) -> NetworkInputs:
        """The image as each network takes it. Raises UnreadableImageError, whose message is the reason."""
        return self.decode_with_origin(image)[0]

    def decode_with_origin(self, image: ImageSource, by: Decoders | None = None) -> tuple[NetworkInputs, Origin]:
        """As `decode`, and what the image was before; by other decoders than those that this process has for all."""
        forms = list({member.input for member in self.bundle.members})
        if isinstance(image, np.ndarray):
            content = _as_file(image)
            found = [
                decode_with_origin(content, size=form.image_size, resize=form.resize, max_pixels=form.max_pixels)
                for form in forms
            ]
        else:
            source = Path(image) if isinstance(image, str) else image
            wanted = [(form.image_size, form.resize, form.max_pixels) for form in forms]
            found = (by or decoders()).decode(source, wanted)
        return {form: one.pixels for form, one in zip(forms, found, strict=True)}, found[0].origin

    def predict_decoded(self, images: Sequence[NetworkInputs]) -> list[UnnamedPrediction]:
        """Predict decoded images, all in one batch."""
        return self._interpret(self._run(images)) if images else []

    def predict_decoded_with_features(
        self, images: Sequence[NetworkInputs]
    ) -> tuple[list[UnnamedPrediction], NDArray[np.float32]]:
        """Predict at least one decoded image; also return the means (n, channels) of the first network's last map."""
        outputs = self._run(images)
        return self._interpret(outputs), outputs[0].features[:, self.layout.top]

    @property
    def explainable(self) -> bool:
        """Whether `explain` works: for a single network with feature maps whose head has no hidden layer."""
        return self.head is not None

    def explain(self, image: ImageSource, target: str, class_name: str | None = None) -> HeatMap:
        """Where in an image the network sees a class; without a class's name, the class that is decided for.

        Class activation maps (Zhou et al. 2016) of all feature maps, see `lacuna.core.feature_maps.heat_maps`. The
        first call readies the network once more, so that it puts out these maps. Raises LacunaError for a target or
        class that the model doesn't have and where the model is not `explainable`, UnreadableImageError for an image
        that can't be read.
        """
        if self.head is None:
            raise LacunaError(
                f"{self.folder}: heat maps need a single network with feature maps whose head has no hidden layer"
            )
        targets = self.bundle.targets
        if target not in targets.names:
            raise LacunaError(f"target {target!r}: expected one of {', '.join(targets.names)}")
        index = targets.names.index(target)
        classes = targets[index].classes
        outputs = self._run([self.decode(image)], maps=True)
        (prediction,) = self._interpret(outputs)
        explained = prediction.targets[target].decision if class_name is None else class_name
        if explained not in classes:
            raise LacunaError(f"class {explained!r} of {target}: expected one of {', '.join(classes)}")
        weights = contrasts(targets, index, np.array([classes.index(explained)]))
        slopes = self.head.slopes_at(outputs[0].features, weights)
        (values,) = heat_maps(outputs[0].maps, self.layout, slopes, self.head.mean)
        name = _name(image) if isinstance(image, str | Path) else "0"
        return HeatMap(target, explained, values, prediction.named(name))

    def _predict_batch(self, names: list[str], decoding: list["Future[NetworkInputs | str]"]) -> list[Prediction]:
        decoded = [future.result() for future in decoding]
        predictions = iter(self.predict_decoded([inputs for inputs in decoded if not isinstance(inputs, str)]))
        return [
            Prediction(name, error=inputs) if isinstance(inputs, str) else next(predictions).named(name)
            for name, inputs in zip(names, decoded, strict=True)
        ]

    def _run(self, images: Sequence[NetworkInputs], maps: bool = False) -> list[Output]:
        return [
            network(np.stack([inputs[member.input] for inputs in images]), maps)
            for member, network in zip(self.bundle.members, self.networks, strict=True)
        ]

    def _interpret(self, outputs: list[Output]) -> list[UnnamedPrediction]:
        """Calibrate and decide what the networks put out, one Output a network."""
        targets, calibration = self.bundle.targets, self.bundle.calibration
        every = [output.logits for output in outputs]
        logits = every[0] if len(every) == 1 else mean_logits(targets, every)
        probabilities = calibration.apply(targets, logits)
        decisions = calibration.decide(targets, logits)
        sure = {
            target.name: self.promises[target.name].answers(target, probabilities[index], decisions[:, index])
            for index, target in enumerate(targets)
            if self.promises
        }
        last = outputs[0].features[:, self.layout.top]
        unfamiliar = None if self.detector is None else self.detector.is_unfamiliar(last)
        predictions = []
        for row in range(len(logits)):
            by_target = {}
            for index, target in enumerate(targets):
                decided = int(decisions[row, index])
                by_target[target.name] = TargetPrediction(
                    kind=target.kind,
                    decision=target.classes[decided],
                    detected=bool(decided) if target.kind == "binary" else None,
                    threshold=calibration.targets[target.name].threshold,
                    probabilities=dict(zip(target.classes, map(float, probabilities[index][row]), strict=True)),
                    unsure=not sure[target.name][row] if sure else None,
                )
            predictions.append(UnnamedPrediction(by_target, None if unfamiliar is None else bool(unfamiliar[row])))
        return predictions

    def _decode_or_reason(self, image: ImageSource) -> NetworkInputs | str:
        try:
            return self.decode(image)
        except UnreadableImageError as error:
            return str(error)


def _name(path: str | Path) -> str:
    """A path as text, bytes that are no UTF-8 as \\x.. codes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _as_file(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels as the content of a PPM file, so that they are decoded like every other image."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"expected uint8 pixels (height, width, 3), received {pixels.dtype} {pixels.shape}")
    return b"P6 %d %d 255\n" % (pixels.shape[1], pixels.shape[0]) + pixels.tobytes()
