"""Which images stand on a target's sheet."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lacuna.calibration.cross_fit import Judgement
from lacuna.stats.numbers import rounded

SECTIONS = ("confident and right", "confident and wrong", "near the threshold")

PER_SECTION = 4


def choose_examples(judgement: Judgement, group: NDArray[np.int64]) -> dict[str, list[int]]:
    """Per section at most PER_SECTION rows of the judgement, best first; of unknown labels and copies none.

    The decisions take turns, so that a sheet does not show one class alone.
    """
    surest, least_sure = np.argsort(-judgement.certainty, kind="stable"), np.argsort(judgement.certainty, kind="stable")
    wrong = judgement.known & ~judgement.right
    orders = (surest[judgement.right[surest]], surest[wrong[surest]], least_sure[judgement.known[least_sure]])
    return {name: _pick(order, judgement, group) for name, order in zip(SECTIONS, orders, strict=True)}


def _pick(order: NDArray[np.intp], judgement: Judgement, group: NDArray[np.int64]) -> list[int]:
    alone = order[np.sort(np.unique(group[order], return_index=True)[1])]
    turns: dict[int, int] = {}
    ranked = []
    for place, row in enumerate(alone.tolist()):
        decision = int(judgement.decisions[row])
        turns[decision] = turns.get(decision, 0) + 1
        ranked.append((turns[decision], place, row))
    return [row for _, _, row in sorted(ranked)[:PER_SECTION]]


def list_examples(
    judgement: Judgement, chosen: dict[str, list[int]], image: NDArray[np.str_]
) -> Iterator[tuple[object, ...]]:
    """Rows of examples.csv."""
    classes = judgement.target.classes
    for section, rows in chosen.items():
        for row in rows:
            decision = int(judgement.decisions[row])
            yield (
                judgement.target.name,
                section,
                image[row],
                classes[judgement.labels[row]],
                classes[decision],
                rounded(judgement.probabilities[row, decision]),
            )


EXAMPLES_HEADER = ("target", "section", "image", "actual", "predicted", "probability")
