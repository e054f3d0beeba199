"""What the known training labels say of each target: class counts and weights, as the stage `prepare` wrote them."""

from dataclasses import dataclass
from pathlib import Path

from lacuna.core.targets import Targets
from lacuna.io.atomic import read_json


@dataclass(frozen=True)
class TargetStatistics:
    """What the known training labels say of one target: class counts and weights, and the share of images known."""

    known_share: float
    counts: tuple[int, ...]
    weights: tuple[float, ...]


def load_statistics(path: Path, targets: Targets) -> list[TargetStatistics]:
    """Read class_weights.json, one entry per target in their order."""
    content = read_json(path)
    return [
        TargetStatistics(entry["known_share"], tuple(entry["counts"]), tuple(entry["weights"]))
        for entry in (content[name] for name in targets.names)
    ]
