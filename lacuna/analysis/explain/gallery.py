"""Everything with example images in it: chooses them, computes their maps, writes the sheets and their tables."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.analysis.explain.activation_maps import ExplainedNetwork
from lacuna.analysis.explain.examples import EXAMPLES_HEADER, PER_SECTION, choose_examples, list_examples
from lacuna.analysis.explain.faithfulness import EXPLAINED_AT_ONCE
from lacuna.analysis.explain.inputs import Boxes, Inputs
from lacuna.analysis.explain.likeness import PAIRS_HEADER, ConfusedPair, confused_pairs, list_pairs, mean_images
from lacuna.analysis.explain.sheets import SheetExample, plot_confused_pairs, plot_examples
from lacuna.calibration.cross_fit import Judgement
from lacuna.core.feature_maps import Maps, contrasts, enlarge
from lacuna.core.pixels import correlate
from lacuna.io.spreadsheets import write_sheet


def write_examples(
    folder: Path, network: ExplainedNetwork | None, data: Inputs, boxes: Boxes, judgements: Sequence[Judgement]
) -> None:
    """examples/NAME.png, a sheet per target, and examples.csv, what stands on them; network: None without maps.

    boxes: where each validation image's picture stands in its square.
    """
    lines: list[tuple[object, ...]] = []
    for index, judgement in enumerate(judgements):
        chosen = choose_examples(judgement, data.validation.group)
        lines += list_examples(judgement, chosen, data.validation.image)
        rows = np.array(sorted({row for picked in chosen.values() for row in picked}), dtype=np.intp)
        heat = {}
        if network is not None:
            heat = dict(zip(rows.tolist(), _maps(network, data, index, judgement, rows), strict=True))
        classes = judgement.target.classes
        sections = {
            section: [
                SheetExample(
                    image=np.asarray(data.images[data.validation.row[row]]),
                    heat=heat.get(row),
                    box=_box(boxes[row]),
                    actual=classes[judgement.labels[row]],
                    predicted=classes[judgement.decisions[row]],
                    probability=float(judgement.probabilities[row, judgement.decisions[row]]),
                )
                for row in picked
            ]
            for section, picked in chosen.items()
        }
        plot_examples(folder / "examples" / f"{judgement.target.name}.png", judgement.target, sections)
    write_sheet(folder / "examples.csv", EXAMPLES_HEADER, lines)


def write_confused(folder: Path, data: Inputs, judgements: Sequence[Judgement]) -> dict[str, list[ConfusedPair]]:
    """confused/NAME.png, a sheet per categorical target, and confused_pairs.csv; returns the pairs by target."""
    found: dict[str, list[ConfusedPair]] = {}
    lines: list[tuple[object, ...]] = []
    means = mean_images(data.images, data.known.row, data.known.labels, data.targets)
    for judgement, (mean, counts) in zip(judgements, means, strict=True):
        if judgement.target.kind == "binary":
            continue
        pairs = found[judgement.target.name] = confused_pairs(judgement, correlate(mean, counts, fewest=1))
        lines += list_pairs(judgement, pairs)
        images = [
            [
                np.asarray(data.images[data.validation.row[row]])
                for row in _surest(judgement, pair, data.validation.group)
            ]
            for pair in pairs
        ]
        plot_confused_pairs(
            folder / "confused" / f"{judgement.target.name}.png", judgement.target, pairs, mean, counts, images
        )
    write_sheet(folder / "confused_pairs.csv", PAIRS_HEADER, lines)
    return found


def _maps(network: ExplainedNetwork, data: Inputs, index: int, judgement: Judgement, rows: NDArray[np.intp]) -> Maps:
    size = data.images.shape[1]
    if len(rows) == 0:
        return np.empty((0, size, size), np.float32)
    found = []
    for start in range(0, len(rows), EXPLAINED_AT_ONCE):
        some = rows[start : start + EXPLAINED_AT_ONCE]
        output = network.run(np.asarray(data.images[data.validation.row[some]]), maps=True)
        found.append(network.heat_maps(output, contrasts(data.targets, index, judgement.explained_class()[some])))
    return enlarge(np.concatenate(found), size)


def _box(corners: NDArray[np.int64]) -> tuple[int, int, int, int]:
    top, left, bottom, right = corners.tolist()
    return top, left, bottom, right


def _surest(judgement: Judgement, pair: ConfusedPair, group: NDArray[np.int64]) -> list[int]:
    """The mistakes that the model was surest of, no two of them copies."""
    rows = np.array(pair.rows)
    rows = rows[np.argsort(-judgement.certainty[rows], kind="stable")]
    chosen: list[int] = rows[np.sort(np.unique(group[rows], return_index=True)[1])][:PER_SECTION].tolist()
    return chosen
