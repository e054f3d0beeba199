"""Predictions as Label Studio takes them: a choice per target, with the probability of what is chosen as its score."""

from collections.abc import Mapping, Sequence
from typing import Any

from lacuna.inference.prediction import TargetPrediction
from lacuna.labelling.label_config import Control

Region = dict[str, Any]
"""A choice, as it stands in the `result` of a prediction or an annotation."""


def choice_region(control: Control, word: str, score: float | None = None) -> Region:
    """One word chosen in a group; `score`: its probability, None for what is no prediction."""
    chosen = {"from_name": control.name, "to_name": control.to_name, "type": "choices", "value": {"choices": [word]}}
    return chosen if score is None else {**chosen, "score": round(min(max(score, 0.0), 1.0), 4)}


def decided_regions(controls: Sequence[Control], targets: Mapping[str, TargetPrediction]) -> list[Region]:
    """What the model decides for each target that has a group of choices with this word in it."""
    return [
        choice_region(control, prediction.decision, prediction.probabilities[prediction.decision])
        for control in controls
        if (prediction := targets.get(control.name)) and prediction.decision in control.choices
    ]


def pre_annotation(regions: Sequence[Region], version: str) -> dict[str, Any]:
    """A prediction of one task. Its score is the lowest of its regions: sorted by it, the least sure come first."""
    score = min((region["score"] for region in regions if "score" in region), default=0.0)
    return {"model_version": version, "score": score, "result": list(regions)}


def version_name(versions: Sequence[str]) -> str:
    """What models are called in Label Studio, by the beginnings of their bundles' hashes."""
    return f"lacuna-{'+'.join(versions)}"
