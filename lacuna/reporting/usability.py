"""Which targets of a model can be used, from what the stages found."""

from collections.abc import Mapping
from typing import Any

from lacuna.evaluation.verdicts import LEARNED


def usable(
    name: str, test: Mapping[str, Any], audit: Mapping[str, Any], baseline: Mapping[str, Any]
) -> tuple[str, str]:
    """yes, with care or no, and why. `test`, `audit` and `baseline`: the metrics files of these names."""
    verdict = test["targets"][name]["verdict"]
    audited = audit["targets"].get(name, {})
    if verdict != LEARNED:
        return "no", f"{verdict}; the audit of the labels says: {audited.get('verdict', 'nothing')}"
    reasons = []
    metadata = audited.get("metadata", {})
    if metadata.get("verdict") == "confounded":
        reasons.append(f"confounded by {metadata['by']}: it may have learned where the images come from")
    if audited.get("missing", {}).get("verdict") == "depends on the image":
        reasons.append("labels are missing by image: the figures are of labelled images only")
    if reasons:
        return "with care", "; ".join(reasons)
    unbeaten = baseline["verdicts"]["targets"].get(name, "")
    return "yes", f"learned, but it {unbeaten}" if unbeaten.startswith("does not") else "learned"
