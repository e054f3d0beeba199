"""Which targets of a model can be used, from what the stages found."""

from collections.abc import Mapping, Sequence
from typing import Any

from lacuna.calibration.selection import Selection
from lacuna.evaluation.verdicts import LEARNED
from lacuna.presentation.audit_verdicts import MetadataVerdict, SignalVerdict

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
    found = test["targets"][name]
    if found["selection"] in (Selection.BY_IMAGE, Selection.BY_LABEL) and found["population"] == "labelled":
        reasons.append(f"labels are missing {found['selection']}: the metrics are of labelled images only")
    if reasons:
        return "with care", "; ".join(reasons)
    unbeaten = baseline["verdicts"]["targets"].get(name, "")
    return "yes", f"learned, but it {unbeaten}" if unbeaten.startswith("does not") else "learned"


def not_trained(audit: Content, baseline: Content) -> list[str]:
    """The targets whose labels the audit finds learnable while the trained model is no better than class shares.

    That is no finding about the labels: a model that learned nothing must not pass as one. By ROC-AUC and log loss on
    validation, both without a look at their intervals: with few images a model that did learn may fail to show it.
    """
    trained, shares = (baseline["models"][name]["targets"] for name in ("trained", "class_shares"))
    found = []
    for name, audited in audit["targets"].items():
        if audited["verdict"] != SignalVerdict.LEARNABLE or "roc_auc" not in trained.get(name, {}):
            continue
        of_model, of_shares = trained[name], shares[name]
        if of_model["roc_auc"] <= of_shares["roc_auc"] and of_model["log_loss"] >= of_shares["log_loss"]:
            found.append(name)
    return found


def by_urgency(names: Sequence[str], test: Content, audit: Content, baseline: Content) -> list[str]:
    """Targets in the order in which a person should look at them: to be used with care, not usable, usable."""
    order = ("with care", "no", "yes")
    return sorted(names, key=lambda name: order.index(usable(name, test, audit, baseline)[0]))
