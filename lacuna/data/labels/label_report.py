"""What the labels can support, in counts, in a table for a person, and in warnings."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from lacuna.config.data import Data
from lacuna.core.groups import distinct
from lacuna.core.manifest import PARTS
from lacuna.core.targets import UNKNOWN, Target, Targets
from lacuna.data.labels.encode import OTHER, Encoded
from lacuna.data.labels.join import Joined
from lacuna.data.labels.label_table import LabelTable
from lacuna.data.labels.odd_classes import find_odd_classes
from lacuna.errors import LacunaError
from lacuna.io.names import first_few
from lacuna.io.text_table import align

SHOWN_LINES = 5


class TargetCounts(TypedDict):
    """Known and unknown labels of one target; images of too rare a class are neither. `train`, `val` and `test` have
    the known images of each class."""

    known: int
    unknown: int
    known_share: float
    train: dict[str, int]
    val: dict[str, int]
    test: dict[str, int]


def count_rows(table: LabelTable, joined: Joined, n_images: int) -> dict[str, int]:
    """Images without labels, of `n_images` that can be used, and rows of the label file that are not a label each."""
    return {
        "images_without_labels": n_images - len(joined.image),
        "rows_without_image": len(joined.dropped),
        "rows_malformed": len(table.malformed),
        "rows_repeated": len(joined.repeated),
        "rows_left_out": joined.n_left_out,
    }


def count_labels(labels: NDArray[np.int16], part: NDArray[np.int8], targets: Targets) -> dict[str, TargetCounts]:
    """Count `labels` `(n_images, n_targets)` in each `part` `(n_images,)`, a number by PARTS."""
    of_parts = {name: labels[part == place] for place, name in enumerate(PARTS)}
    counts: dict[str, TargetCounts] = {}
    for column, target in enumerate(targets):
        per_part = {name: _count_classes(of_parts[name][:, column], target) for name in PARTS}
        known = sum(sum(of_part.values()) for of_part in per_part.values())
        counts[target.name] = TargetCounts(
            known=known,
            unknown=int((labels[:, column] == UNKNOWN).sum()),
            known_share=round(known / len(labels), 4),
            train=per_part["train"],
            val=per_part["val"],
            test=per_part["test"],
        )
    return counts


def _count_classes(labels: NDArray[np.int16], target: Target) -> dict[str, int]:
    """Known images of each class."""
    counts = np.bincount(labels[labels >= 0], minlength=target.n_classes)
    return dict(zip(target.classes, counts.tolist(), strict=True))


def count_conflicts(labels: NDArray[np.int16], duplicate_group: NDArray[np.int64], targets: Targets) -> dict[str, int]:
    """Per target, the groups of duplicates whose known labels disagree."""
    conflicts = {}
    _, group, sizes = np.unique(duplicate_group, return_inverse=True, return_counts=True)
    shared = sizes[group] > 1
    group, labels = group[shared], labels[shared]
    for column, target in enumerate(targets):
        known = labels[:, column] >= 0
        pairs = distinct(group[known] * target.n_classes + labels[known, column])
        conflicts[target.name] = int((np.unique(pairs // target.n_classes, return_counts=True)[1] > 1).sum())
    return conflicts


def count_crossing(group: NDArray[np.int64], part: NDArray[np.int8]) -> int:
    """Groups that stand in more than one part."""
    _, place = np.unique(group, return_inverse=True)
    first = np.full(len(group), len(PARTS), dtype=np.int8)
    np.minimum.at(first, place, part)
    return len(distinct(place[part > first[place]]))


def check_trainable(group: NDArray[np.int64], part: NDArray[np.int8], counts: Mapping[str, TargetCounts]) -> None:
    """Raise LacunaError when a part is empty, or a target has fewer than two classes known in training."""
    for place, of_part in enumerate(PARTS):
        if not (part == place).any():
            raise LacunaError(
                f"none of the {len(part)} images ({len(np.unique(group))} groups) is in the {of_part} part; "
                "more images, smaller groups or another split are needed"
            )
    for name, count in counts.items():
        seen = {word: n for word, n in count["train"].items() if n}
        if len(seen) < 2:
            what = f"only {next(iter(seen))}: {sum(seen.values())}" if seen else "no known label"
            raise LacunaError(
                f"target {name}: {what} in the training part, expected at least two classes; "
                f"{count['known']} of {len(part)} images have a known label"
            )


def find_shortages(counts: Mapping[str, TargetCounts], min_positives: int) -> list[str]:
    """A warning for each target and part with classes of fewer than `min_positives` known images."""
    warnings = []
    for name, count in counts.items():
        for part in PARTS:
            few = sorted((n, word) for word, n in count[part].items() if n < min_positives)
            if few:
                shown = ", ".join(f"{word} {n}" for n, word in few[:3])
                more = f" and {len(few) - 3} more classes" if len(few) > 3 else ""
                warnings.append(f"{name}: fewer than {min_positives} known images in {part}: {shown}{more}")
    return warnings


def find_lone_groups(group: NDArray[np.int64], part: NDArray[np.int8]) -> list[str]:
    """A warning for each part, by each image's group and place in PARTS (n,), whose images all belong together."""
    return [
        f"{name} is one group of images that belong together: its figures get no intervals, because nothing tells how "
        "far other groups would be from it"
        for number, name in enumerate(PARTS)
        if name != "train" and len(np.unique(group[part == number])) == 1
    ]


def describe_targets(
    counts: Mapping[str, TargetCounts], encoded: Encoded, conflicts: Mapping[str, int], corrected: Mapping[str, int]
) -> dict[str, dict[str, object]]:
    """Each target's counts, the flaws that `encode` and `count_conflicts` found, and how many labels were corrected."""
    return {
        target.name: {
            **counts[target.name],
            "contradicting_images": len(encoded.contradictions[target.name]),
            "conflicting_duplicates": conflicts[target.name],
            "rare_classes": len(encoded.rare[target.name]),
            "rare_images": sum(encoded.rare[target.name].values()),
            "corrected": corrected.get(target.name, 0),
        }
        for target in encoded.targets
    }


def find_flaws(
    metrics: Mapping[str, Any], table: LabelTable, joined: Joined, encoded: Encoded, data: Data
) -> list[str]:
    """What the labels lost on their way into the manifest, and classes that are probably none.

    `metrics` is the content of `metrics/prepare.json`.
    """
    dropped = "data/prepared/dropped.csv"

    def where(lines: Iterable[int]) -> str:
        return "" if table.of_several_files else _lines(list(lines))

    flaws = [
        (
            len(joined.by_name),
            "images lie in other folders than the labels say and are found by their file names, which no other has: "
            f"{first_few(joined.by_name)}",
        ),
        (
            metrics["rows_malformed"],
            f"lines are skipped{where(row.line for row in table.malformed)}: {dropped}",
        ),
        (
            metrics["rows_without_image"],
            f"label rows have no usable image{where(row.line for row in joined.dropped)}: {dropped}",
        ),
        (
            metrics["rows_repeated"],
            f"label rows repeat an image, merged{where(table.line[joined.repeated].tolist())}",
        ),
        (metrics["images_without_labels"], "images have no label row and are not used"),
        (metrics["groups_across_splits"], "groups of duplicates or of the group column stand in more than one split"),
    ]
    for target in encoded.targets:
        name, count = target.name, metrics["targets"][target.name]
        contradicting = sorted(table.line[encoded.contradictions[name]].tolist())
        folded = data.rare_classes == OTHER and OTHER in target.classes
        flaws += [
            (
                count["contradicting_images"],
                f"images have contradicting labels of {name}, now unknown{where(contradicting)}",
            ),
            (count["conflicting_duplicates"], f"groups of duplicates have conflicting labels of {name}, kept"),
            (
                count["rare_classes"],
                f"classes of {name} have fewer than {data.min_class_count} images, "
                f"{'now of class ' + OTHER if folded else 'left out of it'}: {count['rare_images']} images",
            ),
        ]
    return [*table.notes, *(f"{n} {what}" for n, what in flaws if n), *find_odd_classes(encoded)]


def _lines(lines: Sequence[int]) -> str:
    """Where in the label file; "" for labels that stand in no lines."""
    if not lines or not lines[0]:
        return ""
    shown = ", ".join(map(str, lines[:SHOWN_LINES])) + (", ..." if len(lines) > SHOWN_LINES else "")
    return f" (line{'s' if len(lines) > 1 else ''} {shown})"


def label_table(counts: Mapping[str, TargetCounts], targets: Targets) -> str:
    """A line per target: the share of known labels and how many are known in each part, "present of known" if binary.

    The last column is the smallest class of the training part.
    """
    lines = [("target", "known", *PARTS, "smallest class in train")]
    for target in targets:
        count = counts[target.name]
        cells = []
        for part in PARTS:
            known = sum(count[part].values())
            cells.append(f"{count[part]['present']} of {known}" if target.kind == "binary" else str(known))
        word, n = min(count["train"].items(), key=lambda item: item[1])
        lines.append((target.name, f"{count['known_share']:.0%}", *cells, f"{word} {n}"))
    return align(lines)
