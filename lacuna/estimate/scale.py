"""What is to be estimated: how many images, targets and classes, and how the parameters divide them."""

from dataclasses import dataclass

from lacuna.config.params import Params
from lacuna.core.targets import Kind, Target, Targets
from lacuna.errors import LacunaError
from lacuna.stats.bags import BAG_GROUPS

MOST_MEASURED_TARGETS, MOST_MEASURED_CLASSES = 2, 5
"""Measured are no more; what they cost is then multiplied by the number of logits."""


@dataclass(frozen=True)
class Scale:
    """So many images with so many targets of as many classes each, under these parameters.

    Raises LacunaError, naming the option, when a number is below what can be: an image, a target, two classes.
    """

    params: Params
    images: int
    targets: int
    classes: int = 2

    def __post_init__(self) -> None:
        for name, least in (("images", 1), ("targets", 1), ("classes", 2)):
            if (given := getattr(self, name)) < least:
                raise LacunaError(f"--{name} {given}: expected {least} or more")

    @property
    def train(self) -> float:
        """Images to learn from."""
        return self.images * (1 - self.params.split.val - self.params.split.test)

    @property
    def validation(self) -> float:
        """Images on which thresholds are chosen."""
        return self.images * self.params.split.val

    @property
    def test(self) -> float:
        """Images that are scored once."""
        return self.images * self.params.split.test

    @property
    def logits(self) -> int:
        """Columns of the head: one of a binary target, else one of each class."""
        return self.targets * (1 if self.classes == 2 else self.classes)

    def measured_targets(self, most: int = MOST_MEASURED_TARGETS) -> Targets:
        """Of the same kind, but no more than can be measured in seconds."""
        n_classes = min(self.classes, MOST_MEASURED_CLASSES)
        kind: Kind = "binary" if n_classes == 2 else "categorical"
        words = ("absent", "present") if n_classes == 2 else tuple(f"c{number}" for number in range(n_classes))
        return Targets(tuple(Target(f"t{number}", kind, words) for number in range(min(self.targets, most))))

    @property
    def enlarged(self) -> float:
        """How many times the logits of `measured_targets()` there are."""
        return self.logits / self.measured_targets().n_logits


def resampled_images(part: float) -> float:
    """So many of a part's images does each replicate of an interval look at, each being a group of its own.

    From twice BAG_GROUPS on replicates come from bags of so many groups, and cost no more with more images.
    """
    return part if part < 2 * BAG_GROUPS else BAG_GROUPS
