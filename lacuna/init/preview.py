"""How a proposal would be read: counts, rows beside what they become, and how long the pipeline would take."""

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lacuna.config.data import Data
from lacuna.config.params import Params
from lacuna.data.labels.encode import OTHER, Encoded, encode
from lacuna.data.labels.join import Joined, given_parts, join_labels
from lacuna.data.labels.label_table import Dropped, LabelTable, WordColumn
from lacuna.data.labels.sources import SOURCES, read_labels
from lacuna.estimate.rates import measure_decoding, measure_gflops
from lacuna.io.names import first_few, shortened
from lacuna.io.plurals import number_of
from lacuna.io.text_table import align

SHOWN_ROWS, SHOWN_GAPS = 10, 3
SHOWN_TARGETS = 4
SHOWN_CLASSES = 6
SHOWN_WIDTH = 24

PIPELINE_SECONDS, SECONDS_PER_IMAGE, REFERENCE_GFLOPS = 60.0, 0.09, 60.0
"""Of `dvc repro` with the default settings on two cores, beside decoding, and what these computed in a second."""

BYTES_PER_IMAGE = 30_000
"""Of features and maps for fine-tuning, beside the working image."""


def preview(params: Params, images: Sequence[str]) -> str:
    """Read the labels as `prepare` will, and say in a few tables what comes out. Raises LacunaError where it stops."""
    data = params.data
    table = read_labels(data, images)
    names = list(images) or list(table.image.words)
    joined = join_labels(table, names, {}, data)
    given_parts(table, joined, data)  # raises where prepare would
    encoded = encode(table, joined, data)
    parts = [_counts(encoded), _rows(table, joined, encoded, images, names, data), "\n".join(table.notes)]
    parts.append(_who_lacks_what(joined, names, table.malformed))
    return "\n\n".join(part for part in parts if part)


def _counts(encoded: Encoded) -> str:
    lines = [("target", "kind", "known", "unknown", "classes")]
    for index, target in enumerate(encoded.targets):
        code = encoded.labels[:, index]
        counts = np.bincount(code[code >= 0], minlength=target.n_classes)
        order = np.argsort(-counts, kind="stable") if target.kind == "categorical" else np.array([1, 0])
        shown = [f"{shortened(target.classes[k], SHOWN_WIDTH)[1:-1]} {counts[k]}" for k in order[:SHOWN_CLASSES]]
        more = [f"{target.n_classes - SHOWN_CLASSES} more"] if target.n_classes > SHOWN_CLASSES else []
        rare = [f"{len(encoded.rare[target.name])} too small"] if encoded.rare[target.name] else []
        known = int((code >= 0).sum())
        lines.append((target.name, target.kind, str(known), str(len(code) - known), ", ".join(shown + more + rare)))
    width = max(len(line[-1]) for line in lines)
    return align([(*line[:-1], line[-1].ljust(width)) for line in lines])


def _rows(
    table: LabelTable, joined: Joined, encoded: Encoded, images: Sequence[str], names: Sequence[str], data: Data
) -> str:
    """Ten rows: what is written, and what becomes of it; some from all over the file, some with unknown cells."""
    table = replace(table, labels={name: _without_rare(name, table, encoded, data) for name in table.labels})
    as_written = {
        name: target.model_copy(update={"kind": "categorical" if target.kind == "tags" else target.kind})
        for name, target in data.targets.items()
    }
    raw = SOURCES[data.source](data.model_copy(update={"targets": as_written}), images)
    columns = list(raw.labels)[:SHOWN_TARGETS]
    lines = [("the label file names", "the image is", *columns)]
    unknown = np.any([column.code[joined.row] < 0 for column in table.labels.values()], axis=0)
    gaps = np.flatnonzero(unknown)[:SHOWN_GAPS]
    spread = np.linspace(0, len(joined.row) - 1, SHOWN_ROWS - len(gaps)).round().astype(int)
    for place in np.unique([*gaps, *spread]).tolist():
        row, image = int(joined.row[place]), names[joined.image[joined.owner[place]]]
        cells = [raw.image[row], image, *(_becomes(raw, table, name, row) for name in columns)]
        lines.append(tuple(shortened(cell, SHOWN_WIDTH * 2)[1:-1] for cell in cells))
    more = f"\n(and {len(raw.labels) - SHOWN_TARGETS} more)" if len(raw.labels) > SHOWN_TARGETS else ""
    return align(lines) + more


def _without_rare(name: str, table: LabelTable, encoded: Encoded, data: Data) -> WordColumn:
    """The target's words, without those of too few images."""
    column, rare = table.labels[name], encoded.rare[name]
    if data.rare_classes == OTHER:
        return WordColumn(column.code, tuple(OTHER if word in rare else word for word in column.words))
    return WordColumn(
        column.recoded([-1 if word in rare else place for place, word in enumerate(column.words)]), column.words
    )


def _becomes(raw: LabelTable, table: LabelTable, name: str, row: int) -> str:
    cell = raw.labels[name][row]
    if name in table.labels:
        word = table.labels[name][row] or "unknown"
    else:  # a list of tags
        words = {tag: column[row] for tag, column in table.labels.items() if tag not in raw.labels}
        nothing = "none" if any(words.values()) else "unknown"
        word = ", ".join(tag for tag, said in words.items() if said == "present" and tag in cell) or nothing
    return word if word == cell else f"{cell or '(empty)'} → {word}"


def _who_lacks_what(joined: Joined, names: Sequence[str], malformed: Sequence[Dropped]) -> str:
    labelled = set(joined.image.tolist())
    without = [name for row, name in enumerate(names) if row not in labelled]
    lines = [number_of(len(labelled), "image has labels", "images have labels")]
    if malformed:
        lines.append(
            f"{number_of(len(malformed), 'line is no row', 'lines are no rows')}, the first is {malformed[0].line}: "
            f"{malformed[0].reason[:100]}"
        )
    if without:
        lines.append(f"{number_of(len(without), 'image has', 'images have')} none: {first_few(without)}")
    if joined.dropped:
        listed = first_few([row.image for row in joined.dropped])
        lines.append(f"{number_of(len(joined.dropped), 'label row has', 'label rows have')} no image: {listed}")
    if len(joined.repeated):
        n = len(joined.repeated)
        lines.append(
            number_of(n, "label row repeats an image and is merged", "label rows repeat an image and are merged")
        )
    return "\n".join(lines)


def describe_effort(params: Params, images: Sequence[str]) -> str:
    """How long `dvc repro` will take on this machine, and how much disk, from half a second of measuring."""
    data, n = params.data, len(images)
    decoding = measure_decoding(Path(data.path), images, data).elapsed / (os.cpu_count() or 1)
    network = SECONDS_PER_IMAGE * REFERENCE_GFLOPS / measure_gflops()
    minutes = math.ceil((PIPELINE_SECONDS + n * (decoding + network)) / 60)
    megabytes = math.ceil(n * (BYTES_PER_IMAGE + 3 * data.image_size**2) / 1e6)
    what = f"dvc repro of {number_of(n, 'image')}"
    return f"{what} takes about {minutes} min on this machine, and {megabytes} MB in data/"
