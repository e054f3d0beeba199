"""Which targets of a model can be used, from what the stages found."""

from collections.abc import Mapping, Sequence
from typing import Any

from lacuna.evaluation.verdicts import LEARNED
from lacuna.presentation.audit_verdicts import MetadataVerdict, MissingVerdict

Content = Mapping[str, Any]
"""What a metrics file holds."""


def usable(name: str, test: Content, audit: Content, baseline: Content) -> tuple[str, str]:
    """yes, with care or no, and why. `test`, `audit` and `baseline`: the metrics files of these names."""
    verdict = test["targets"][name]["verdict"]
    audited = audit["targets"].get(name, {})
    if verdict != LEARNED:
        return "no", f"{verdict}; the audit of the labels says: {audited.get('verdict', 'nothing')}"
    reasons = []
    metadata = audited.get("metadata", {})
    if metadata.get("verdict") == MetadataVerdict.CONFOUNDED:
        reasons.append(f"confounded by {metadata['by']}: it may have learned where the images come from")
    if audited.get("missing", {}).get("verdict") == MissingVerdict.DEPENDS:
        reasons.append("labels are missing by image: the metrics are of labelled images only")
    if reasons:
        return "with care", "; ".join(reasons)
    unbeaten = baseline["verdicts"]["targets"].get(name, "")
    return "yes", f"learned, but it {unbeaten}" if unbeaten.startswith("does not") else "learned"


def by_urgency(names: Sequence[str], test: Content, audit: Content, baseline: Content) -> list[str]:
    """Targets in the order in which a person should look at them: to be used with care, not usable, usable."""
    order = ("with care", "no", "yes")
    return sorted(names, key=lambda name: order.index(usable(name, test, audit, baseline)[0]))
