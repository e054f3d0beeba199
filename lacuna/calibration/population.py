"""The population that figures speak of: all images of a part, though only some of them are labelled.

Where the chance of being labelled depends on the label, the labelled images have other class shares than all. Each
labelled image of a class then stands for more or fewer images than one: its importance, the class's share among all
over its share among the labelled (see `lacuna.stats.label_shift`). Every figure and threshold weights known cells so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.calibration.selection import Selection, describe_selection
from lacuna.config.blocks import Evaluate
from lacuna.core.predictions import Predictions
from lacuna.core.scores import Floats, Labels
from lacuna.core.targets import Target, Targets
from lacuna.errors import LacunaError
from lacuna.io.atomic import load_arrays, save_arrays
from lacuna.stats.bags import Bag, make_bags, pool
from lacuna.stats.bootstrap import NUMBERS_AT_ONCE, group_weights, interval
from lacuna.stats.label_shift import Priors
from lacuna.stats.mixture_fit import UNLIKE_LEVEL
from lacuna.stats.numbers import rounded

PRIORS = ("known", "unlabelled", "every")

MAX_POPULATION_BYTES = 2**30


@dataclass(frozen=True)
class Resample:
    """Some replicates of a part: how often each image counts, and how many images a labelled one stands for.

    weights (replicates, n). importance: per target (replicates, n_classes), or (1, n_classes) for all replicates; all 1
    where figures are those of the labelled images. numbers (replicates,): which replicates of the part they are, 0 for
    what is none.
    """

    weights: Floats
    importance: list[Floats]
    numbers: NDArray[np.intp] = field(default_factory=lambda: np.zeros(1, np.intp))

    @classmethod
    def of_labelled(cls, targets: Targets, weights: Floats) -> "Resample":
        """Replicates in which each labelled image stands for itself."""
        return cls(weights, [np.ones((1, target.n_classes)) for target in targets])

    def of_known(self, index: int, labels: Labels) -> Floats:
        """The weights (replicates, n_known) of a target's known cells, of its labels (n,)."""
        weights, importance = self.drawn(labels), self.importance[index]
        if (importance != 1).any():
            weights *= importance[:, labels[labels >= 0]]
        return weights

    def drawn(self, labels: Labels) -> Floats:
        """How often each of the known cells of a target's labels (n,) counts (replicates, n_known)."""
        drawn: Floats = np.take(self.weights, np.flatnonzero(labels >= 0), axis=1)
        return drawn

    def first_importance(self) -> list[Floats]:
        """Per target what a labelled image of each class stands for in the first replicate, (n_classes,)."""
        return [of_target[0] for of_target in self.importance]

    def without(self, images: NDArray[np.bool_]) -> "Resample":
        """The same replicates, with these images (n,) left out."""
        return replace(self, weights=self.weights * ~images)


@dataclass(frozen=True)
class Prevalence:
    """The class shares of one target on a part, and what can be said against them.

    `priors` has rows for the sample and its bootstrap replicates, in that order, in each of which the calibration was
    fitted anew. `selected_p` is that of selective labelling, adjusted for all targets and classes; 1 where nothing is
    labelled or nothing is not. `unlike_p` is that of label shift, not adjusted; None where it could not be tested.
    """

    priors: Priors
    selected_p: float
    unlike_p: float | None

    def selectively_labelled(self, alpha: float) -> bool:
        """Whether the chance of being labelled depends on what decides the label; wrong for any target at most with
        chance alpha."""
        return self.selected_p <= alpha

    def told(self) -> bool:
        """Whether the labels tell the shares among all images."""
        return bool(np.isfinite(self.priors.every[0]).all())

    def unlike(self) -> bool:
        """Whether label shift is rejected."""
        level = max(UNLIKE_LEVEL, 2 / len(self.priors.every))  # no p-value is below 1 / (1 + replicates)
        return self.unlike_p is not None and self.unlike_p <= level

    def selection(self, confidence: float) -> Selection:
        """Why labels are missing, in a word; claimed by label with this confidence for all targets together."""
        if not self.told():
            return Selection.NOT_TOLD
        if np.isnan(self.priors.unlabelled[0]).all():
            return Selection.NONE_MISSING
        if self.unlike():
            return Selection.BY_IMAGE
        return Selection.BY_LABEL if self.selectively_labelled(1 - confidence) else Selection.NOT_SHOWN


def prevalence_metrics(target: Target, priors: Priors, confidence: float) -> dict[str, Any]:
    """For a metrics file: the share of "present", or of the class whose share differs most, among the labelled images
    and among all, with the latter's interval; nothing where these are not told."""
    if not np.isfinite(priors.every[0]).all():
        return {}
    gaps = np.abs(priors.every[0] - priors.known[0])
    chosen = 1 if target.kind == "binary" else int(np.argmax(gaps))
    found: dict[str, Any] = {} if target.kind == "binary" else {"prevalence_class": target.classes[chosen]}
    found["prevalence_known"], found["prevalence_all"] = (
        rounded(shares[0, chosen]) for shares in (priors.known, priors.every)
    )
    ends = interval(priors.every[1:, chosen], confidence)
    return found | (dict(zip(("prevalence_low", "prevalence_high"), map(rounded, ends), strict=True)) if ends else {})


@dataclass(frozen=True)
class Population:
    """The validation part's class shares, per target, and for which targets figures are those of all images."""

    prevalences: tuple[Prevalence, ...]
    corrected: tuple[bool, ...]

    def save(self, path: Path) -> None:
        """Write a `.npz`; the same content gives the same bytes."""
        arrays = {
            f"{name}_{index}": getattr(found.priors, name)
            for index, found in enumerate(self.prevalences)
            for name in PRIORS
        }
        unlike = [np.nan if found.unlike_p is None else found.unlike_p for found in self.prevalences]
        save_arrays(
            path,
            arrays
            | {
                "selected_p": np.array([found.selected_p for found in self.prevalences]),
                "unlike_p": np.array(unlike),
            },
        )

    @classmethod
    def of(cls, prevalences: Sequence[Prevalence], evaluate: Evaluate) -> "Population":
        """Corrected are targets whose labels are shown to be missing by their value, if `evaluate.population` asks.

        Where nothing is shown, the estimate's noise would be all that is added: without a signal in the scores it is
        many times that of the labelled images' shares.
        """
        asked = evaluate.population == "all"
        by_label = (found.selection(evaluate.confidence) == Selection.BY_LABEL for found in prevalences)
        return cls(tuple(prevalences), tuple(asked and shown for shown in by_label))

    @classmethod
    def load(cls, path: Path, targets: Targets, evaluate: Evaluate) -> "Population":
        """Read what `save` wrote for these targets and replicates; evaluate: as in `of`.

        Raises LacunaError when it is missing, damaged, or of other targets or replicates.
        """
        arrays, remedy = load_arrays(path, MAX_POPULATION_BYTES), "run `dvc repro train_finetune`"
        lone_group = len(arrays.get("known_0", ())) == 1  # has no replicates
        replicates = 0 if lone_group else evaluate.bootstrap
        shapes: dict[str, tuple[int, ...]] = {
            f"{name}_{index}": (1 + replicates, target.n_classes)
            for index, target in enumerate(targets)
            for name in PRIORS
        }
        shapes |= dict.fromkeys(("selected_p", "unlike_p"), (len(targets),))
        if arrays.keys() != shapes.keys():
            raise LacunaError(f"{path}: expected the shares of {len(targets)} targets, found others; {remedy}")
        for name, shape in shapes.items():
            if arrays[name].shape != shape or arrays[name].dtype != np.float64:
                raise LacunaError(
                    f"{path}: {name}: expected {shape} numbers (evaluate.bootstrap: {evaluate.bootstrap}), found "
                    f"{arrays[name].shape} of type {arrays[name].dtype}; {remedy}"
                )
        prevalences = [
            Prevalence(
                Priors(*(arrays[f"{name}_{index}"] for name in PRIORS)),
                float(selected),
                None if np.isnan(unlike) else float(unlike),
            )
            for index, (selected, unlike) in enumerate(zip(arrays["selected_p"], arrays["unlike_p"], strict=True))
        ]
        return cls.of(prevalences, evaluate)


def describe_population(targets: Targets, population: Population, confidence: float) -> list[str]:
    """A sentence for each target whose labels are missing by their value, or for a reason that cannot be corrected."""
    sentences = []
    for target, found, corrected in zip(targets, population.prevalences, population.corrected, strict=True):
        block = prevalence_metrics(target, found.priors, confidence) | {"kind": target.kind}
        block |= {"selection": found.selection(confidence), "population": "all" if corrected else "labelled"}
        sentences.append(describe_selection(target.name, block))
    return [sentence for sentence in sentences if sentence]


def whole_sample(targets: Targets, part: Predictions, population: Population | None) -> Resample:
    """The sample itself. population: of this very part; None: figures are those of its labelled images."""
    return Resample(np.ones((1, len(part))), [of_target[:1] for of_target in _importance(targets, population)])


@dataclass(frozen=True)
class BootstrapBlock:
    """The images of a part that some replicates are drawn from: all, or a bag of them.

    rows (m,): where they stand in the part, None for all. `own`: what the bag itself says, before it is resampled. The
    first replicate of a bag is that.
    """

    part: Predictions
    rows: NDArray[np.intp] | None
    own: Resample | None
    replicates: Iterator[Resample]


@dataclass(frozen=True)
class Bootstrap:
    """The sample of a part, and its bootstrap replicates over groups: all drawn from the whole part, or in bags.

    population: as `whole_sample` takes it, estimated with this `evaluate`.
    """

    targets: Targets
    part: Predictions
    evaluate: Evaluate
    population: Population | None
    bags: Sequence[Bag]

    @classmethod
    def of(
        cls, targets: Targets, part: Predictions, evaluate: Evaluate, population: Population | None, seed: int
    ) -> "Bootstrap":
        bags = make_bags(part.group, part.labels, evaluate.bootstrap, seed)
        return cls(targets, part, evaluate.model_copy(update={"seed": seed}), population, bags)

    def blocks(self) -> Iterator[BootstrapBlock]:
        """The replicates of the whole part, or of each bag, a few at a time."""
        importance, first = _importance(self.targets, self.population), 1
        if not self.bags:
            size = chunk_size(len(self.part))
            weights = group_weights(self.part.group, self.evaluate.bootstrap, self.evaluate.seed, size)
            yield BootstrapBlock(self.part, None, None, _resamples(importance, first, weights, in_bag=False))
        for bag in self.bags:
            size = chunk_size(len(bag.rows))
            own = Resample(next(bag.weights(1)), [of_target[:1] for of_target in importance])
            drawn = _resamples(importance, first, bag.weights(size), in_bag=True)
            yield BootstrapBlock(self.part.take(bag.rows), bag.rows, own, drawn)
            first += bag.replicates

    def pool(self, values: Floats, low: float = -np.inf, high: float = np.inf) -> Floats:
        """The values (1 + replicates, ...) of the sample and around it, from low to high, from those of the sample and
        of all blocks."""
        return pool(values, self.bags, low, high)


def _resamples(importance: Sequence[Floats], first: int, drawn: Iterator[Floats], in_bag: bool) -> Iterator[Resample]:
    """importance: as of `_importance`; first: the number of the replicate that is drawn first. in_bag: what the bag
    itself says comes before it."""
    for weights in drawn:
        numbers = np.arange(first, first + len(weights))
        if in_bag:
            numbers, in_bag = np.concatenate([[0], numbers[:-1]]), False
        first += int((numbers > 0).sum())
        of_targets = [of_target if len(of_target) == 1 else of_target[numbers] for of_target in importance]
        yield Resample(weights, of_targets, numbers)


def chunk_size(n_images: int) -> int:
    """How many replicates to work at a time."""
    return max(1, NUMBERS_AT_ONCE // max(1, n_images))


def _importance(targets: Targets, population: Population | None) -> list[Floats]:
    """Per target (1 + replicates, n_classes), one row where figures are those of the labelled images."""
    importance = [np.ones((1, target.n_classes)) for target in targets]
    if population is not None:
        for index, (found, corrected) in enumerate(zip(population.prevalences, population.corrected, strict=True)):
            if corrected:
                importance[index] = found.priors.importance()
    return importance
