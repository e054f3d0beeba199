"""The audit of every target: what the labels support, by training and validation images alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lacuna.analysis.audit.duplicate_labels import Agreement, agreement
from lacuna.analysis.audit.label_issues import LabelIssues, find_issues
from lacuna.analysis.audit.learning_curve import LearningCurve, learning_curve
from lacuna.analysis.audit.metadata import FILE_FIELDS, together
from lacuna.analysis.audit.signal import ProbeResult, adjust, permutations_for, run_probe, verdict_of
from lacuna.analysis.audit.to_label import UnknownCells, rank_unknown
from lacuna.config.blocks import Audit
from lacuna.core.manifest import Manifest
from lacuna.core.scores import Floats
from lacuna.core.targets import UNKNOWN, Target, Targets
from lacuna.io.progress import progress
from lacuna.presentation.audit_verdicts import MetadataVerdict, MissingVerdict, SignalVerdict

SEEN = (SignalVerdict.LEARNABLE, SignalVerdict.WEAK)
"""The verdicts of a labelling that the probe can tell from shuffled ones."""

TELLING = 0.55
"""A single metadata field tells a target when the interval of its AUC lies above this."""


class Probes(NamedTuple):
    """The three probes of a target: for its labels from the image (`signal`), for whether its label is known from the
    image (`missing`), and for its labels from the properties of the file (`metadata`)."""

    signal: ProbeResult
    missing: ProbeResult
    metadata: ProbeResult


@dataclass(frozen=True)
class TargetAudit:
    """Everything about one target. `probes`, each with its p-value after the correction over all targets in `adjusted`.

    `fields`: probes of single metadata fields. `issues`, `unknown` and `curve` are None where the probe sees no signal:
    they would rest on nothing; `unknown` also where no label is unknown, of `n_unknown`.
    """

    target: Target
    probes: Probes
    adjusted: Mapping[str, float]
    n_unknown: int
    signal: SignalVerdict
    missing: MissingVerdict
    metadata: MetadataVerdict
    fields: Mapping[str, ProbeResult]
    copies: Agreement
    issues: LabelIssues | None
    unknown: UnknownCells | None
    curve: LearningCurve | None


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
    group, permutations, metadata = manifest.group, permutations_for(audit), together(fields)
    found: list[Probes] = []
    for column, target in progress(enumerate(targets), total=len(targets), what="audit: probes", unit="targets"):
        labels = manifest.labels[:, column]
        known = (labels != UNKNOWN).astype(np.int16)
        found.append(
            Probes(
                signal=run_probe(features, labels, group, target.n_classes, permutations, confidence, audit),
                missing=run_probe(features, known, group, 2, permutations, confidence, audit),
                metadata=run_probe(metadata, labels, group, target.n_classes, permutations, confidence, audit),
            )
        )
    of_question = zip(Probes._fields, zip(*found, strict=True), strict=True)
    adjusted = {question: adjust(results) for question, results in of_question}
    audits = []
    for column, target in enumerate(progress(targets, total=len(targets), what="audit: labels", unit="targets")):
        labels, probes = manifest.labels[:, column], found[column]
        p = {question: values[column] for question, values in adjusted.items()}
        verdicts = {name: verdict_of(probe, p[name], audit.alpha) for name, probe in probes._asdict().items()}
        single = {
            name: run_probe(columns, labels, group, target.n_classes, 0, confidence, audit)
            for name, columns in fields.items()
            if columns.shape[1]
        }
        seen, n_unknown = verdicts["signal"] in SEEN, int((labels == UNKNOWN).sum())
        issues = find_issues(features, labels, probes.signal, target.n_classes) if seen else None
        audits.append(
            TargetAudit(
                target=target,
                probes=probes,
                adjusted=p,
                n_unknown=n_unknown,
                signal=verdicts["signal"],
                missing=_missing(verdicts["missing"], n_unknown > 0),
                metadata=_metadata(verdicts["metadata"], single),
                fields=single,
                copies=agreement(labels, copies),
                issues=issues,
                unknown=rank_unknown(features, labels, group, issues) if issues and n_unknown else None,
                curve=learning_curve(features, labels, group, probes.signal, audit.seed) if seen else None,
            )
        )
    return audits


def telling_fields(fields: Mapping[str, ProbeResult]) -> list[tuple[str, ProbeResult]]:
    """The metadata fields that tell a target by themselves, the best first."""
    telling = [(name, field) for name, field in fields.items() if field.enough and field.low > TELLING]
    return sorted(telling, key=lambda pair: -pair[1].auc)


def _missing(verdict: SignalVerdict, gaps: bool) -> MissingVerdict:
    if not gaps:
        return MissingVerdict.NONE_MISSING
    if verdict == SignalVerdict.TOO_FEW:
        return MissingVerdict.TOO_FEW
    return MissingVerdict.DEPENDS if verdict in SEEN else MissingVerdict.NO_DEPENDENCE


def _metadata(verdict: SignalVerdict, fields: Mapping[str, ProbeResult]) -> MetadataVerdict:
    """Bytes and brightness may follow from what a picture shows; format, mode and size hardly ever do."""
    if verdict == SignalVerdict.TOO_FEW:
        return MetadataVerdict.TOO_FEW
    if verdict not in SEEN:
        return MetadataVerdict.NOTHING_SHOWN
    by_file = any(name in FILE_FIELDS for name, _ in telling_fields(fields))
    return MetadataVerdict.CONFOUNDED if by_file else MetadataVerdict.FORETOLD
