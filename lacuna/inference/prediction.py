"""What a model predicts for an image: the types that everything which predicts gives back."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.core.targets import Kind


@dataclass(frozen=True)
class TargetPrediction:
    """What the model predicts for one target.

    `decision` is one of the classes, the keys of `probabilities`, whose values are calibrated, between 0 and 1, and sum
    to 1. A binary target is decided by its `threshold` on the probability of the second class, "present", and
    `detected` says whether that class is decided for. A categorical target has no threshold, its most probable class is
    decided for, and `detected` is None. Where one target's class determines another's, both get the classes of their
    most probable consistent combination instead. `unsure`: selective prediction abstains, the decision is not certain
    enough for the precision asked for; None where no precision was asked for.
    """

    kind: Kind
    decision: str
    detected: bool | None
    threshold: float | None
    probabilities: dict[str, float]
    unsure: bool | None = None

    @property
    def probability(self) -> float:
        """Of "present" if binary, of the decided class if categorical."""
        return list(self.probabilities.values())[1] if self.kind == "binary" else self.probabilities[self.decision]


@dataclass(frozen=True)
class Prediction:
    """What the model predicts for one image: its targets by name, or `error`, the reason why it can't be read.

    `unfamiliar`: the image is out of distribution, unlike those the model was trained on, so that its predictions can't
    be relied on; None when the bundle can't tell.
    """

    name: str
    targets: dict[str, TargetPrediction] = field(default_factory=dict)
    unfamiliar: bool | None = None
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As a line of `predict --json`; what is None is left out."""
        if self.error is not None:
            return {"image": self.name, "error": self.error}
        targets = {name: _without_none(asdict(target)) for name, target in self.targets.items()}
        return _without_none({"image": self.name, "unfamiliar": self.unfamiliar, "targets": targets})


@dataclass(frozen=True)
class UnnamedPrediction:
    """A Prediction for a decoded image, whose name the network does not know."""

    targets: dict[str, TargetPrediction]
    unfamiliar: bool | None = None

    def named(self, name: str) -> Prediction:
        return Prediction(name, self.targets, self.unfamiliar)


@dataclass(frozen=True)
class HeatMap:
    """What each place of an image adds to the score of a class.

    values: float32 (h, w) over the working image; their mean is the score without the head's bias, and they are
    negative where a place speaks against the class. The score is the logit of a binary target, its negative for the
    first class; for a categorical target the class's logit less the mean logit of all classes.
    """

    target: str
    class_name: str
    values: NDArray[np.float32]
    prediction: Prediction


def _without_none(content: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if value is not None}
