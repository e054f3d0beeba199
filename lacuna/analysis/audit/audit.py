"""The audit of every target: what the labels support, by training and validation images alone."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lacuna.analysis.audit.duplicate_labels import Agreement, agreement
from lacuna.analysis.audit.label_errors import Doubts, doubt
from lacuna.analysis.audit.learning_curve import Curve, learning_curve
from lacuna.analysis.audit.metadata import FILE_FIELDS, together
from lacuna.analysis.audit.signal import LEARNABLE, NO_SIGNAL, WEAK, Measured, judge, measure, permutations_for
from lacuna.analysis.audit.to_label import Wanted, rank_unknown
from lacuna.config.blocks import Audit
from lacuna.core.manifest import Manifest
from lacuna.core.scores import Floats
from lacuna.core.targets import Target, Targets
from lacuna.io.progress import progress
from lacuna.stats.multiple_testing import holm

CONFOUNDED = "confounded"
FORETOLD = "foretold"
NOTHING_SHOWN = "nothing shown"
DEPENDS = "depends on the image"
NO_DEPENDENCE = "no dependence shown"
NONE_MISSING = "none missing"

TELLING = 0.55
"""A single metadata field foretells a target when the interval of its AUC lies above this."""


@dataclass(frozen=True)
class Question:
    """One probe with the p-value that Holm's correction over all targets leaves of its own, and what it comes to."""

    measured: Measured
    adjusted: float
    verdict: str


@dataclass(frozen=True)
class TargetAudit:
    """Everything about one target. `fields`: probes of single metadata fields. Doubts, wanted cells and the curve are
    None where the probe sees no signal: they would be made of nothing."""

    target: Target
    signal: Question
    missing: Question
    metadata: Question
    fields: Mapping[str, Measured]
    copies: Agreement
    doubts: Doubts | None
    wanted: Wanted | None
    curve: Curve | None


def audit_targets(
    targets: Targets,
    manifest: Manifest,
    features: Floats,
    fields: Mapping[str, Floats],
    copies: NDArray[np.int64],
    confidence: float,
    audit: Audit,
) -> list[TargetAudit]:
    """Audit each target of a manifest of training and validation images.

    features (n, d), each of `fields` (n, k) and copies (n,), the groups of duplicates, are aligned with the manifest.
    """
    permutations = permutations_for(len(targets), audit)
    metadata = together(fields)
    found: list[tuple[Measured, Measured, Measured]] = []
    for column, target in progress(enumerate(targets), total=len(targets), what="audit: probes", unit="targets"):
        labels, known = manifest.labels[:, column], (manifest.labels[:, column] >= 0).astype(np.int16)
        asked = ((features, labels, target.n_classes), (features, known, 2), (metadata, labels, target.n_classes))
        one, other, third = (
            measure(seen, of, manifest.group, n_classes, permutations, confidence, audit)
            for seen, of, n_classes in asked
        )
        found.append((one, other, third))
    adjusted = [holm([probes[place].p for probes in found]) for place in range(3)]
    result = []
    every = progress(targets, total=len(targets), what="audit: labels", unit="targets")
    for column, target in enumerate(every):
        labels = manifest.labels[:, column]
        signal, missing, confound = (
            Question(probe, p[column], judge(probe, p[column], audit.alpha))
            for probe, p in zip(found[column], adjusted, strict=True)
        )
        single = {
            name: measure(columns, labels, manifest.group, target.n_classes, 0, confidence, audit)
            for name, columns in fields.items()
            if columns.shape[1]
        }
        seen = signal.verdict in (LEARNABLE, WEAK)
        doubts = doubt(features, labels, signal.measured, target.n_classes) if seen else None
        gaps = bool((labels < 0).any())
        result.append(
            TargetAudit(
                target=target,
                signal=signal,
                missing=replace(missing, verdict=_missing(missing, gaps)),
                metadata=replace(confound, verdict=_confounded(confound, single)),
                fields=single,
                copies=agreement(labels, copies),
                doubts=doubts,
                wanted=rank_unknown(features, labels, manifest.group, doubts) if doubts and gaps else None,
                curve=learning_curve(features, labels, manifest.group, signal.measured, audit.seed) if seen else None,
            )
        )
    return result


def tell_tales(fields: Mapping[str, Measured]) -> list[tuple[str, Measured]]:
    """The metadata fields that foretell a target by themselves, the best first."""
    telling = [(name, field) for name, field in fields.items() if field.enough and field.low > TELLING]
    return sorted(telling, key=lambda pair: -pair[1].auc)


def _missing(question: Question, gaps: bool) -> str:
    if not gaps:
        return NONE_MISSING
    words = {LEARNABLE: DEPENDS, WEAK: DEPENDS, NO_SIGNAL: NO_DEPENDENCE}
    return words.get(question.verdict, question.verdict)


def _confounded(question: Question, fields: Mapping[str, Measured]) -> str:
    """Bytes and brightness may follow from what a picture shows; format, mode and size hardly ever do."""
    if question.verdict in (LEARNABLE, WEAK):
        return CONFOUNDED if any(name in FILE_FIELDS for name, _ in tell_tales(fields)) else FORETOLD
    return NOTHING_SHOWN if question.verdict == NO_SIGNAL else question.verdict
