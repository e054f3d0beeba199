"""What solving a target's head leaves: its weights, and the strengths of the penalty that were tried on the way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lacuna.core.scores import Floats
from lacuna.io.csv_files import write_csv


class PathStep(NamedTuple):
    """A strength of the penalty: the cross-validated log loss there, None where none was computed, and whether the head
    has it."""

    l2: float
    log_loss: float | None
    chosen: bool


@dataclass(frozen=True)
class SolvedTarget:
    """The head of one target: weights (d, n_logits) and bias (n_logits,) for standardized features."""

    weights: Floats
    bias: Floats
    path: list[PathStep]


def write_path(path: Path, tried: Mapping[str, Sequence[PathStep]]) -> None:
    """Write a row per target and strength that was tried; a strength that was given has no log loss."""
    rows = [
        (name, f"{step.l2:g}", "" if step.log_loss is None else f"{step.log_loss:.6f}", int(step.chosen))
        for name, steps in tried.items()
        for step in steps
    ]
    write_csv(path, ("target", "l2", "cv_log_loss", "chosen"), rows)


def describe_path(tried: Mapping[str, Sequence[PathStep]]) -> list[str]:
    """A line for each target: its penalty, and the log loss that cross-validation found for it."""
    lines = []
    for name, steps in tried.items():
        chosen = next((step for step in steps if step.chosen), None)
        found = "no known label in training" if chosen is None else f"penalty {chosen.l2:g}"
        if chosen is not None and chosen.log_loss is not None:
            found += f", cross-validated log loss {chosen.log_loss:.4f}"
        lines.append(f"{name}: {found}")
    return lines
