"""What consistent decisions change: how often the targets' own contradict each other, accuracy with and without."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lacuna.calibration.consistency import connected, constraints_of, contradicting
from lacuna.core.relations import Relations
from lacuna.core.targets import Targets
from lacuna.evaluation.scoring import Scored
from lacuna.stats.numbers import rounded


def summarise_consistency(scored: Sequence[Scored], relations: Relations) -> dict[str, Any]:
    """For the metrics file, of targets tied by relations.

    `inconsistent_share`: images whose targets, each decided by itself, would contradict each other. `exact_match`: of
    the images on which all these targets are known (`n_known`), the share with all of them right;
    `independent_exact_match`: the same of each target's own decisions.
    """
    constraints = constraints_of(relations, Targets(tuple(of_target.target for of_target in scored)))
    broken = contradicting(constraints, [of_target.alone for of_target in scored])
    tied = [scored[place] for place in connected(constraints)]
    known = np.all([of_target.labels >= 0 for of_target in tied], axis=0)
    result: dict[str, Any] = {"n_known": int(known.sum())}
    if len(broken):
        result["inconsistent_share"] = rounded(broken.mean())
    if known.any():
        for name, decisions in (
            ("exact_match", [of_target.decisions for of_target in tied]),
            ("independent_exact_match", [of_target.alone for of_target in tied]),
        ):
            labels = [of_target.labels for of_target in tied]
            right = np.all([decided == stated for decided, stated in zip(decisions, labels, strict=True)], axis=0)
            result[name] = rounded(right[known].mean())
    return result


def describe_consistency(metrics: Mapping[str, Any], relations: Relations) -> str:
    """In one sentence, from the content of a metrics file that has a block `consistency`."""
    block = metrics["consistency"]
    changes = [
        f"{name} {100 * found['independent_accuracy']:.1f} → {100 * found['accuracy']:.1f}"
        for name, found in metrics["targets"].items()
        if "independent_accuracy" in found
    ]
    if "exact_match" in block:
        changes.append(f"all of them {100 * block['independent_exact_match']:.1f} → {100 * block['exact_match']:.1f}")
    pairs = ", ".join(f"{relation.child} determines {relation.parent}" for relation in relations)
    return (
        f"{pairs}: decided each by itself, they would contradict each other on "
        f"{block.get('inconsistent_share', 0):.1%} of the images; accuracy so → as decided, in percent: "
        f"{', '.join(changes)}"
    )
