"""Which images stand on a target's sheet."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lacuna.calibration.cross_fit import Judgement

SECTIONS = ("confident and right", "confident and wrong", "near the threshold")

PER_SECTION = 4


def choose_examples(one: Judgement, group: NDArray[np.int64]) -> dict[str, list[int]]:
    """Per section at most PER_SECTION rows of the judgement, best first; of unknown labels and copies none.

    The decisions take turns, so that a sheet does not show one class alone.
    """
    surest, least_sure = np.argsort(-one.certainty, kind="stable"), np.argsort(one.certainty, kind="stable")
    wrong = one.known & ~one.right
    orders = (surest[one.right[surest]], surest[wrong[surest]], least_sure[one.known[least_sure]])
    return {name: _pick(order, one, group) for name, order in zip(SECTIONS, orders, strict=True)}


def _pick(order: NDArray[np.intp], one: Judgement, group: NDArray[np.int64]) -> list[int]:
    alone = order[np.sort(np.unique(group[order], return_index=True)[1])]
    turns: dict[int, int] = {}
    ranked = []
    for place, row in enumerate(alone.tolist()):
        decision = int(one.decisions[row])
        turns[decision] = turns.get(decision, 0) + 1
        ranked.append((turns[decision], place, row))
    return [row for _, _, row in sorted(ranked)[:PER_SECTION]]


def list_examples(
    one: Judgement, chosen: dict[str, list[int]], image: NDArray[np.str_]
) -> Iterator[tuple[object, ...]]:
    """Rows of examples.csv."""
    classes = one.target.classes
    for section, rows in chosen.items():
        for row in rows:
            decision = int(one.decisions[row])
            yield (
                one.target.name,
                section,
                image[row],
                classes[one.labels[row]],
                classes[decision],
                round(float(one.probabilities[row, decision]), 6),
            )


EXAMPLES_HEADER = ("target", "section", "image", "actual", "predicted", "probability")
